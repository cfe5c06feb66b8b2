"""``warmupTrigger``: loads the model before an instance that Azure adds gets its first request."""

from azure.functions.warmup import WarmUpContext

from image_classifier.bindings import http

CLASSIFIER = http.current_classifier()


def main(warmup_context: WarmUpContext) -> None:
    """Runs once on each new instance, on plans that have this trigger; elsewhere never."""
    CLASSIFIER.warm_up()
