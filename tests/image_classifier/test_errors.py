import inspect
import re

from image_classifier import errors
from image_classifier.bindings.http import STATUS_OF_ERROR
from image_classifier.errors import ClassifierError


def leaves() -> list[type[ClassifierError]]:
    found = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    tree = [cls for cls in found if issubclass(cls, ClassifierError)]
    return [cls for cls in tree if not any(cls in other.__mro__[1:] for other in tree)]


def test_every_error_that_can_be_raised_has_a_status() -> None:
    assert {cls.__name__ for cls in leaves()} == {cls.__name__ for cls in STATUS_OF_ERROR}


def test_the_code_is_the_name() -> None:
    assert errors.ImageTooLarge("x").code == "ImageTooLarge"


def test_the_tree_at_the_top_names_every_class() -> None:
    drawn = re.findall(r"^ *([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)

    assert set(errors.__all__) <= set(drawn)


def test_all_is_sorted_and_complete() -> None:
    own = [
        n for n, v in inspect.getmembers(errors, inspect.isclass) if v.__module__ == errors.__name__
    ]

    assert errors.__all__ == sorted(own)
