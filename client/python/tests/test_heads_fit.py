"""A head says what scikit-learn says, and is judged on sounds that it has not seen."""

import numpy as np
import pytest
from heads_data import SPACE
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hearwire.heads.assign_folds import assign_folds
from hearwire.heads.cross_validate import cross_validate
from hearwire.heads.errors import HeadError
from hearwire.heads.fit_head import Classifier, Rows, fit_head
from hearwire.heads.head_file import encode_head
from hearwire.heads.labelled_sounds import LabelledSound

NAMES = ("ant", "bee", "cat", "dog")


def rows(labels, count=120, several=False, seed=3):
    """Rows around a centre for each label, of very different scales, and one column that is always the same."""
    random = np.random.default_rng(seed)
    if several:
        targets = random.random((count, labels)) < 0.4
    else:
        targets = np.eye(labels, dtype=bool)[random.integers(labels, size=count)]
    centres = random.normal(size=(labels, 12))
    values = targets @ centres + random.normal(size=(count, 12))
    values = values * 10.0 ** np.arange(-5, 7) + 3
    values[:, 4] = 7.25
    return Rows(values.astype(np.float32), targets)


def fit(data, classifier, several=False):
    return fit_head(data, classifier, NAMES[: data.targets.shape[1]], several, SPACE, "scene")


def expected(data, model, several=False):
    """scikit-learn's own probabilities."""
    x = data.embeddings.astype(np.float64)
    y = data.targets.astype(int) if several else data.targets.argmax(axis=1)
    return make_pipeline(StandardScaler(), model).fit(x, y).predict_proba(x)


@pytest.mark.parametrize("labels", [2, 3, 4])
@pytest.mark.parametrize("l2", [1.0, 0.1])
def test_logistic_regression_is_scikit_learns(labels, l2):
    data = rows(labels)
    head = fit(data, Classifier(l2=l2))
    assert head.output == ("sigmoid" if labels == 2 else "softmax")
    wanted = expected(data, LogisticRegression(C=1 / l2, max_iter=5000))
    np.testing.assert_allclose(head.scores(data.embeddings), wanted, atol=1e-5)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("hidden", [(8,), (8, 5)])
def test_a_multilayer_perceptron_is_scikit_learns(labels, hidden):
    data = rows(labels)
    head = fit(data, Classifier(hidden, l2=2.0, seed=5))
    assert [layer.weight.shape[0] for layer in head.layers[:-1]] == list(hidden)
    wanted = expected(data, MLPClassifier(hidden, alpha=2.0, max_iter=5000, random_state=5))
    np.testing.assert_allclose(head.scores(data.embeddings), wanted, atol=1e-5)


def test_several_labels_are_sigmoids_each():
    data = rows(4, several=True)
    head = fit(data, Classifier(), several=True)
    assert head.output == "sigmoid"
    wanted = expected(data, OneVsRestClassifier(LogisticRegression(max_iter=5000)), several=True)
    np.testing.assert_allclose(head.scores(data.embeddings), wanted, atol=1e-5)

    head = fit(data, Classifier((6,)), several=True)
    wanted = expected(data, MLPClassifier((6,), alpha=1.0, max_iter=5000, random_state=0), several=True)
    np.testing.assert_allclose(head.scores(data.embeddings), wanted, atol=1e-5)


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_two_labels_of_which_both_may_be_right_have_a_logit_each(hidden):
    data = rows(2, several=True)
    head = fit(data, Classifier(hidden), several=True)
    assert head.layers[-1].weight.shape[0] == 2
    assert head.scores(data.embeddings).sum(axis=1).max() > 1.1


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_one_label_may_be_right_or_not(hidden):
    data = rows(1, several=True)
    scores = fit(data, Classifier(hidden), several=True).scores(data.embeddings)
    assert scores.shape == (120, 1)
    assert ((scores > 0.5) == data.targets).mean() > 0.7


@pytest.mark.parametrize("hidden", [(), (8,)])
def test_the_same_rows_give_the_same_file(hidden):
    once, again, other = (fit(rows(3), Classifier(hidden, seed=seed)) for seed in (1, 1, 2))
    assert encode_head(once) == encode_head(again)
    if hidden:
        assert encode_head(once) != encode_head(other)


def sounds(*labels, folds=None):
    """labels: of each sound; a tuple where it has several."""
    return [
        LabelledSound(None, label if isinstance(label, tuple) else (label,), folds[i] if folds else None)
        for i, label in enumerate(labels)
    ]


def test_every_fold_has_its_part_of_each_label():
    given = sounds(*["dog"] * 10, *["rain"] * 15)
    folds = assign_folds(given, 5, False, seed=1)
    for fold in set(folds):
        there = [sound.labels[0] for sound, place in zip(given, folds) if place == fold]
        assert (there.count("dog"), there.count("rain")) == (2, 3)
    assert folds == assign_folds(given, 5, False, seed=1) != assign_folds(given, 5, False, seed=2)


def test_given_folds_are_kept():
    assert assign_folds(sounds(*["dog", "rain"] * 2, folds="aabb"), 5, False, 0) == ("a", "a", "b", "b")


@pytest.mark.parametrize(
    ("given", "several", "words"),
    [
        (sounds(*["dog"] * 9, *["rain"] * 4), False, "label rain has too few sounds, 4 for 5 folds"),
        (sounds(*["dog"] * 9), False, "all sounds have the label dog"),
        (sounds(*[()] * 9), True, "no sound has a label"),
        (sounds("dog", "rain", "dog", folds="112"), False, "rain has too few sounds, all of them in the fold 1"),
        (sounds("dog", "rain", folds="11"), False, "all sounds are in the fold 1"),
        (
            sounds(("dog",), ("dog", "rain"), ("dog",), ("rain",), folds="1223"),
            True,
            "fold 3 all sounds have the label dog",
        ),
    ],
)
def test_too_few_sounds_are_said_with_their_label(given, several, words):
    with pytest.raises(HeadError, match=words):
        assign_folds(given, 5, several, 0)


def test_a_sound_is_never_judged_by_a_head_that_has_learned_from_it():
    """Neither is one of its rows: of timestamps a sound has many."""
    data = rows(3, count=60)
    owners = np.arange(60) // 4
    folds = tuple("abcde"[sound % 5] for sound in range(15))
    learned = []

    def recorded(some):
        learned.append(some)
        return fit(some, Classifier())

    validation = cross_validate(data, owners, folds, False, recorded)
    assert [(fold.fold, fold.sounds) for fold in validation.folds] == [(fold, 3) for fold in "abcde"]
    for fold, some in zip("abcde", learned):
        kept = np.array(folds)[owners] != fold
        np.testing.assert_array_equal(some.embeddings, data.embeddings[kept])
        np.testing.assert_array_equal(some.targets, data.targets[kept])


def test_labels_that_mean_nothing_cannot_be_told_from_each_other():
    random = np.random.default_rng(0)
    data = Rows(random.normal(size=(200, 100)).astype(np.float32), np.eye(2, dtype=bool)[random.integers(2, size=200)])
    assert (fit(data, Classifier()).scores(data.embeddings).argmax(axis=1) == data.targets.argmax(axis=1)).mean() > 0.9
    validation = cross_validate(data, np.arange(200), tuple("01234" * 40), False, lambda some: fit(some, Classifier()))
    assert 0.35 < validation.mean < 0.65


def test_accuracy_and_recall_are_of_the_held_out_rows():
    """A head that always says the first label."""
    data = rows(2, count=50)
    always = fit(data, Classifier())
    always.layers[0].weight[:] = 0
    always.layers[0].bias[:] = -9
    validation = cross_validate(data, np.arange(50), tuple("01" * 25), False, lambda some: always)
    first = data.targets[:, 0]
    assert [fold.score for fold in validation.folds] == [first[0::2].mean(), first[1::2].mean()]
    assert validation.by_label == (1.0, 0.0)
    assert validation.measure == "accuracy"


def test_several_labels_are_judged_by_their_order():
    data = rows(3, several=True, count=200)
    folds = tuple("01" * 100)
    validation = cross_validate(data, np.arange(200), folds, True, lambda some: fit(some, Classifier(), several=True))
    assert validation.measure == "mean average precision"
    assert all(data.targets[:, i].mean() + 0.1 < precision <= 1 for i, precision in enumerate(validation.by_label))


def test_a_fold_without_any_label_does_not_count():
    data = rows(3, several=True, count=200)
    data.targets[:50] = False
    folds = tuple("0" * 50 + "12" * 75)
    validation = cross_validate(data, np.arange(200), folds, True, lambda some: fit(some, Classifier(), several=True))
    scores = [fold.score for fold in validation.folds]
    assert np.isnan(scores[0])
    assert validation.mean == np.mean(scores[1:]) and validation.deviation == np.std(scores[1:])
