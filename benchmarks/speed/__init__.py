# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of scripts/bench.py: what is measured (`peers`), how (`measure`), and how it is shown (`report`, `chart`)."""
