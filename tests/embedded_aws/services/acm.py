# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ACM: DNS validation by the record in Route 53, chains of imported certificates."""

from __future__ import annotations

from typing import Any

from moto.acm import models
from moto.route53.models import route53_backends

from embedded_aws.gaps import gap


@gap(models.CertBundle, "__init__")
def imported_chain(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """An imported certificate has the chain it was imported with, or none."""
    chain = kwargs.get("chain") if "chain" in kwargs else (args[3] if len(args) > 3 else None)
    original(self, *args, **kwargs)
    if self.type == "IMPORTED" and not chain:
        self.chain = self.cert
