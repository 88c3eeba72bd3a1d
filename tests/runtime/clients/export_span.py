# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program without MLflow: it exports spans by OpenTelemetry's own exporter, which OTEL_* variables lead to MLflow."""

import sys

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult, SimpleSpanProcessor


class Checked(SpanExporter):
    """The exporter logs a refused export and goes on; here that is a failure."""

    def __init__(self) -> None:
        self.exporter, self.results = OTLPSpanExporter(), []

    def export(self, spans) -> SpanExportResult:
        self.results.append(self.exporter.export(spans))
        return self.results[-1]


checked = Checked()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(checked))
with provider.get_tracer("program").start_as_current_span(sys.argv[1]) as span:
    span.set_attribute("question", "does this reach MLflow?")
provider.shutdown()
sys.exit(checked.results != [SpanExportResult.SUCCESS])
