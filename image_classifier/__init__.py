"""Image classifiers exported from Azure Custom Vision, and others, behind one small API.

    from image_classifier import Classifier, Settings

    classifier = Classifier(Settings.from_environ({}))
    prediction = classifier.classify_bytes(Path("cat.png").read_bytes())
    print(prediction.predicted_tag_name, prediction.as_dict())

Importing this package imports no TensorFlow: an engine is imported when a model first needs it.
"""

from __future__ import annotations

from image_classifier.classifier import Classifier
from image_classifier.errors import ClassifierError
from image_classifier.results import Prediction, StageTimes, TagProbability
from image_classifier.settings import Settings

__all__ = [
    "Classifier",
    "ClassifierError",
    "Prediction",
    "Settings",
    "StageTimes",
    "TagProbability",
]
