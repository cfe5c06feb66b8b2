"""``warmupTrigger``: loads the model of a new instance before its first request."""

from azure.functions.warmup import WarmUpContext

from image_classifier.bindings import http

CLASSIFIER = http.current_classifier()


def main(warmup_context: WarmUpContext) -> None:
    """Runs once on each instance that Azure adds, on plans that have this trigger."""
    CLASSIFIER.warm_up()
