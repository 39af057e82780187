"""What only TensorFlow has: graphs, XLA, variables, checkpoints, Keras."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from negsamp import (
    ConfigError,
    DotProduct,
    Exponential,
    GenNi,
    Interactions,
    InvalidInputError,
    Linear,
    LossDriven,
    Negatives,
    NegSampError,
    Popularity,
    Sampler,
    Uniform,
)
from negsamp.stream import CANDIDATES, Stream
from tests.samplers.cases import Case, cases

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from tensorflow.python.autograph.impl.api import StagingError  # noqa: E402

from negsamp_tensorflow import GraphSampler, TensorflowBackend, by_score  # noqa: E402
from negsamp_tensorflow.scores import SharedScores  # noqa: E402
from negsamp_tensorflow.stream import words  # noqa: E402

ITEMS = range(1, 301)
RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.integers(1, 301, (6, 5))
QUERIES = RANDOM.normal(size=(6, 5, 8)).astype(np.float32)
EMBEDDINGS = RANDOM.normal(size=(301, 8)).astype(np.float32)
ARGUMENTS: dict[str, Any] = {
    "users": np.array([0, 1, 2, 0, 1, 2]),
    "mask": RANDOM.random((6, 5)) < 0.6,
    "exclude": RANDOM.choice([-1, *ITEMS], (6, 5, 2)),
}
SEEN = Interactions.from_sequences([RANDOM.integers(1, 301, 20), [], [1, 2, 3]])
COUNTS = np.arange(301)
MODES = ("graph", "unknown shapes", "xla")

LAWS: dict[str, Callable[[str], Sampler]] = {
    "uniform": lambda by: Uniform(ITEMS, 4, interactions=SEEN, backend=by, seed=2**64 - 3),
    "uniform, no repeats": lambda by: Uniform(
        ITEMS, 4, interactions=SEEN, replacement=False, backend=by
    ),
    "popularity": lambda by: Popularity(COUNTS, 0.5, ITEMS, 4, interactions=SEEN, backend=by),
    "popularity, no repeats": lambda by: Popularity(
        COUNTS, 0.5, ITEMS, 4, replacement=False, backend=by
    ),
    "genni": lambda by: GenNi(ITEMS, 4, interactions=SEEN, backend=by),
    "genni, no repeats": lambda by: GenNi(
        ITEMS, 4, interactions=SEEN, replacement=False, backend=by
    ),
    "genni, candidates": lambda by: GenNi(
        ITEMS, 4, beta=0.3, interactions=SEEN, backend=by, replacement=False
    ),
    "genni, scheduled": lambda by: GenNi(
        ITEMS, 4, alpha=LossDriven(initial=1.0), beta=Exponential(m=2, initial=0.1), backend=by
    ),
    "genni, candidates of each row": lambda by: GenNi(
        ITEMS, 4, beta=0.5, candidates="query", backend=by
    ),
    "genni, scheduled, of each row": lambda by: GenNi(
        ITEMS, 4, beta=Exponential(m=2, initial=0.1), candidates="query", backend=by
    ),
}


def sampled(sampler: GraphSampler, mode: str, called: bool = False) -> Callable[[], Negatives]:
    """Return a traced function that draws for the rows above."""

    def draw(targets: Any, queries: Any, mask: Any) -> Negatives:
        score: Any = DotProduct(queries, tf.constant(EMBEDDINGS))
        if called:
            flat = tf.reshape(queries, [-1, 8])
            score = lambda ids: tf.matmul(flat, tf.gather(EMBEDDINGS, ids), transpose_b=True)  # noqa: E731
        users, exclude = tf.constant(ARGUMENTS["users"]), tf.constant(ARGUMENTS["exclude"])
        return sampler.sample(targets, score=score, users=users, mask=mask, exclude=exclude)

    signature = None
    if mode == "unknown shapes":
        shapes = (((None, None), tf.int64), ((None, None, 8), tf.float32), ((None, None), tf.bool))
        signature = [tf.TensorSpec(*each) for each in shapes]
    function = tf.function(draw, jit_compile=mode == "xla", input_signature=signature)
    inputs = [tf.constant(each) for each in (TARGETS, QUERIES, ARGUMENTS["mask"])]
    return lambda: function(*inputs)


def referred(sampler: Sampler) -> Negatives:
    """Draw the same with a sampler of the reference."""
    return sampler.sample(TARGETS, score=DotProduct(QUERIES, EMBEDDINGS), **ARGUMENTS)


def assert_same(ours: Negatives, theirs: Negatives) -> None:
    np.testing.assert_array_equal(ours.item_ids.numpy(), theirs.item_ids)
    np.testing.assert_allclose(ours.log_q.numpy(), theirs.log_q, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("law", LAWS)
def test_a_graph_draws_what_the_reference_draws(law: str, mode: str) -> None:
    sampler, reference = GraphSampler(LAWS[law]("auto")), LAWS[law]("numpy")
    draw = sampled(sampler, mode)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        reference.set_epoch(epoch)
        assert_same(draw(), referred(reference))
    assert sampler.state_dict()["call"] == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("law", ["genni", "genni, candidates of each row"])
def test_tiles_that_do_not_hold_all_scores(
    law: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TensorflowBackend, "scores_per_tile", 1)
    monkeypatch.delattr(by_score, "_from_held")
    assert_same(sampled(GraphSampler(LAWS[law]("auto")), mode)(), referred(LAWS[law]("numpy")))


@pytest.mark.parametrize(("num_negatives", "times"), [(1, 1), (64, 0)])
def test_many_negatives_come_from_scores_that_are_held(
    num_negatives: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[Any] = []
    multiply = SharedScores.blocks

    def counted(self: SharedScores, block: Any) -> Any:
        again.append(block)
        return multiply(self, block)

    monkeypatch.setattr(TensorflowBackend, "scores_per_tile", 5 * 384)
    monkeypatch.setattr(SharedScores, "blocks", counted)
    sampler = GenNi(ITEMS, num_negatives, backend="tensorflow")
    sampler.sample(TARGETS, score=DotProduct(QUERIES, EMBEDDINGS))
    assert len(again) == times


def test_eager_results_are_not_copied_once_per_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[Any] = []
    update = tf.tensor_scatter_nd_update

    def counted(whole: Any, *arguments: Any) -> Any:
        copied.append(whole)
        return update(whole, *arguments)

    monkeypatch.setattr(TensorflowBackend, "rows_per_chunk", 1)
    monkeypatch.setattr(tf, "tensor_scatter_nd_update", counted)
    Uniform(300, 2, backend="tensorflow").sample(TARGETS)
    assert len(copied) == 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("law", ["genni", "genni, candidates", "genni, scheduled"])
def test_a_callable_is_asked_inside_a_graph(law: str, mode: str) -> None:
    sampler, reference = GraphSampler(LAWS[law]("auto")), LAWS[law]("numpy")
    assert_same(sampled(sampler, mode, called=True)(), referred(reference))


@pytest.mark.parametrize("jit_compile", [False, True])
@settings(max_examples=8)
@given(case=cases(scales=(0.5, 3.0)))
def test_any_call_is_the_same_in_a_graph(jit_compile: bool, case: Case) -> None:
    sampler, arguments = GraphSampler(case.sampler()), case.arguments(tf.constant)
    ours = tf.function(lambda: sampler.sample(**arguments), jit_compile=jit_compile)()
    theirs = case.sampler("numpy").sample(**case.arguments())
    assert_same(ours, theirs)


@pytest.mark.parametrize("mode", ["graph", "xla"])
@pytest.mark.parametrize("beta", [1.0, 0.1])
def test_100_000_draws_in_a_graph(mode: str, beta: float) -> None:
    """At least 99.99 % of the draws are those of the reference."""
    random = np.random.default_rng(0)
    targets = random.integers(1, 12_102, 1000)
    queries = random.normal(size=(1000, 64)).astype(np.float32) * np.float32(0.25)
    table = random.normal(size=(12_102, 64)).astype(np.float32) * np.float32(0.5)

    def build(backend: str) -> GenNi:
        return GenNi(range(1, 12_102), 100, alpha=2.5, beta=beta, backend=backend, seed=11)

    sampler = GraphSampler(build("auto"))
    arrays = [tf.constant(each) for each in (targets, queries, table)]
    ours = tf.function(
        lambda targets, queries, table: sampler.sample(targets, score=DotProduct(queries, table)),
        jit_compile=mode == "xla",
    )(*arrays)
    theirs = build("numpy").sample(targets, score=DotProduct(queries, table))
    assert np.mean(ours.item_ids.numpy() == theirs.item_ids) >= 0.9999


@pytest.mark.parametrize(("key", "call"), [(0, 0), (2**64 - 7, 2**40 + 5), (2**63, 2**56 - 1)])
def test_words_are_those_of_the_stream(key: int, call: int) -> None:
    stream = Stream(key, call)
    ours = words(stream, CANDIDATES, 101, first_block=3).numpy()
    theirs = stream.words(CANDIDATES, np.arange(6, 107))
    np.testing.assert_array_equal(ours, np.stack(theirs, axis=1))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("candidates", ["batch", "query"])
def test_no_change_of_alpha_or_beta_traces_again(jit_compile: bool, candidates: Any) -> None:
    """Alpha from 0, and beta from two candidates to all, through eight powers of two."""

    def build(backend: str) -> GenNi:
        beta = Exponential(m=2, initial=0.004)
        alpha = Linear(0.0, 2.0, 5)
        return GenNi(ITEMS, 2, alpha=alpha, beta=beta, candidates=candidates, backend=backend)

    sampler, reference, traces = GraphSampler(build("auto")), build("numpy"), 0

    @tf.function(jit_compile=jit_compile)  # type: ignore[untyped-decorator]
    def draw() -> Any:
        nonlocal traces
        traces += 1
        return sampler.sample(TARGETS, score=DotProduct(tf.constant(QUERIES), EMBEDDINGS))

    counts = []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        reference.set_epoch(epoch)
        counts.append(int(sampler.num_candidates))
        assert_same(draw(), reference.sample(TARGETS, score=DotProduct(QUERIES, EMBEDDINGS)))
    assert (counts[0], counts[-1], traces) == (2, 300, 1)


def test_losses_move_alpha() -> None:
    sampler = GraphSampler(GenNi(ITEMS, alpha=LossDriven(initial=1.0)))
    for loss in (2.0, tf.constant(1.0)):
        sampler.update(loss)
    assert float(sampler.alpha) == sampler.sampler.state_dict()["values"]["alpha"] != 1.0


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_checkpoint_goes_on_where_it_was(tmp_path: Path, jit_compile: bool) -> None:
    def build(seed: int) -> GraphSampler:
        alpha = LossDriven(initial=1.0)
        sampler = GenNi(ITEMS, alpha=alpha, beta=Exponential(m=3, initial=0.1), seed=seed)
        return GraphSampler(sampler.spawn(4))

    first, second = build(1), build(2)
    draws = [
        tf.function(
            lambda own=own: own.sample(TARGETS, score=DotProduct(QUERIES, EMBEDDINGS)),
            jit_compile=jit_compile,
        )
        for own in (first, second)
    ]
    draws[0]()
    first.set_epoch(2)
    for loss in (3.0, 2.0):
        first.update(loss)
    path = tf.train.Checkpoint(sampler=first).save(str(tmp_path / "saved"))
    tf.train.Checkpoint(sampler=second).restore(path).assert_consumed()
    assert second.state_dict() == first.state_dict()
    for _ in range(2):
        first.update(1.0)
        second.update(1.0)
        one, other = draws[0](), draws[1]()
        np.testing.assert_array_equal(one.item_ids, other.item_ids)
        np.testing.assert_array_equal(one.log_q, other.log_q)


def test_a_model_that_has_a_sampler_is_saved_for_serving(tmp_path: Path) -> None:
    class Model(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.sampler = GraphSampler(GenNi(ITEMS, alpha=LossDriven(initial=1.0)))

        @tf.function(input_signature=[tf.TensorSpec((6, 5), tf.int64)])  # type: ignore[untyped-decorator]
        def negatives(self, targets: Any) -> Any:
            return self.sampler.sample(targets, score=DotProduct(QUERIES, EMBEDDINGS)).item_ids

    model = Model()
    model.negatives(TARGETS)
    tf.saved_model.save(model, str(tmp_path))
    served = tf.saved_model.load(str(tmp_path))
    np.testing.assert_array_equal(served.negatives(TARGETS), model.negatives(TARGETS))


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    saved = GraphSampler(Uniform(10))
    path = tf.train.Checkpoint(sampler=saved).save(str(tmp_path / "saved"))
    with pytest.raises(ConfigError, match=r"items = \[0, 10\], this sampler has \[0, 11\]"):
        tf.train.Checkpoint(sampler=GraphSampler(Uniform(11))).restore(path)


NAN = np.where(np.arange(301) == 7, np.nan, EMBEDDINGS.T).T.astype(np.float32)
ALL = np.broadcast_to(np.arange(1, 301), (6, 5, 300))
FEW = np.where(np.arange(301) < 3, 1, 0)
WRONG: list[tuple[Callable[[], Sampler], dict[str, Any]]] = [
    (lambda: Uniform(ITEMS), {"targets": np.where(ARGUMENTS["mask"], 999, TARGETS)}),
    (lambda: Uniform(ITEMS), {"targets": TARGETS[0] - 400}),
    (lambda: Uniform(ITEMS), {"targets": TARGETS - TARGETS[:1]}),
    (lambda: Uniform(ITEMS), {"targets": np.array(301)}),
    (lambda: Uniform(ITEMS), {"exclude": np.full((6, 5, 1), 0)}),
    (lambda: Uniform(ITEMS, interactions=SEEN), {"users": np.array([0, 1, 7, 0, 0, 3])}),
    (lambda: Uniform(ITEMS), {"exclude": ALL}),
    (lambda: Uniform(ITEMS, 300, replacement=False), {}),
    (lambda: Popularity(COUNTS == 1, items=ITEMS), {"targets": np.array([5, 1])}),
    (lambda: Popularity(FEW, items=ITEMS, num_negatives=3, replacement=False), {}),
    (lambda: GenNi(ITEMS), {"exclude": ALL}),
    (lambda: GenNi(ITEMS, beta=Linear(0.5, 1.0, 5)), {"exclude": ALL}),
    (lambda: GenNi(ITEMS), {"items": NAN}),
    (lambda: GenNi(ITEMS), {"items": np.full_like(EMBEDDINGS, -np.inf)}),
]


def wrong_call(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call that is wrong in some way."""
    given: dict[str, Any] = {"targets": TARGETS} | changes
    shape, items = given["targets"].shape, given.pop("items", EMBEDDINGS)
    given["score"] = DotProduct(np.abs(np.resize(QUERIES, (*shape, 8))), items)
    return given


ONE_ITEM = (lambda: Uniform(range(5, 6))), {"targets": np.array([5])}


@pytest.mark.parametrize(("build", "changes"), [*WRONG, ONE_ITEM])
def test_a_graph_refuses_in_the_same_words(
    build: Callable[[], Sampler], changes: dict[str, Any]
) -> None:
    arguments = wrong_call(changes)
    with pytest.raises(NegSampError) as eager:
        GraphSampler(build()).sample(**arguments)
    sampler = GraphSampler(build())
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.function(lambda: sampler.sample(**arguments))()
    assert str(eager.value) in str(caught.value)
    assert int(sampler.call) == 0


@pytest.mark.parametrize(("build", "changes"), WRONG)
def test_under_xla_a_bad_row_is_safe(build: Callable[[], Sampler], changes: dict[str, Any]) -> None:
    arguments = wrong_call(changes)
    negatives = tf.function(GraphSampler(build()).sample, jit_compile=True)(**arguments)
    item_ids, log_q = negatives.item_ids.numpy(), negatives.log_q.numpy()
    assert np.isnan(log_q).any()
    bad = np.isnan(log_q).any(axis=-1)
    assert np.isnan(log_q[bad]).all()
    assert ((item_ids >= ITEMS.start) & (item_ids < ITEMS.stop)).all()
    assert (item_ids != arguments["targets"][..., None]).all()


def test_under_xla_no_other_row_is_touched() -> None:
    wrong = TARGETS.copy()
    wrong[2, 3] = 999
    score = DotProduct(QUERIES, EMBEDDINGS)
    found = tf.function(GraphSampler(GenNi(ITEMS, 3)).sample, jit_compile=True)(wrong, score=score)
    expected = GenNi(ITEMS, 3, backend="numpy").sample(TARGETS, score=score)
    others = np.arange(30) != 13
    np.testing.assert_array_equal(
        found.item_ids.numpy().reshape(30, 3)[others], expected.item_ids.reshape(30, 3)[others]
    )
    assert np.isnan(found.log_q.numpy().reshape(30, 3)[13]).all()


def test_shapes_are_refused_while_a_graph_is_traced() -> None:
    sampler = GraphSampler(Uniform(ITEMS))
    with pytest.raises(InvalidInputError, match=r"mask has shape \(5,\); .* \(6, 5\)"):
        tf.function(lambda: sampler.sample(TARGETS, mask=np.ones(5, bool)), autograph=False)()
    unknown = tf.function(sampler.sample, [tf.TensorSpec(None, tf.int64)], autograph=False)
    with pytest.raises(InvalidInputError, match="number of axes of targets must be known"):
        unknown(TARGETS)


@pytest.mark.parametrize("autograph", [True, False])
@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("law", ["uniform", "popularity", "genni", "genni, candidates"])
def test_a_plain_sampler_is_not_traced(
    law: str, jit_compile: bool, autograph: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its graph would repeat one draw. AutoGraph, which complains of what it cannot read, reads
    nothing of it.
    """
    sampler = LAWS[law]("auto")

    @tf.function(jit_compile=jit_compile, autograph=autograph)  # type: ignore[untyped-decorator]
    def draw(targets: Any) -> Any:
        score = DotProduct(tf.constant(QUERIES), tf.constant(EMBEDDINGS))
        return sampler.sample(targets, score=score, users=tf.constant(ARGUMENTS["users"])).item_ids

    message = r"would repeat its draws .* draw from negsamp_tensorflow\.GraphSampler\(sampler\)"
    with (
        pytest.raises(StagingError if autograph else InvalidInputError, match=message),
        caplog.at_level("WARNING", "tensorflow"),
    ):
        draw(tf.constant(TARGETS))
    assert not caplog.records
    assert sampler.state_dict()["call"] == 0


def test_schedules_move_outside_graphs_alone() -> None:
    sampler = GraphSampler(Uniform(ITEMS))
    with pytest.raises(ConfigError, match="set_epoch moves schedules, which a graph cannot"):
        tf.function(lambda: sampler.set_epoch(1), autograph=False)()
    with pytest.raises(ConfigError, match="probabilities computes with NumPy, which a graph"):
        tf.function(lambda: sampler.probabilities(TARGETS), autograph=False)()
    with pytest.raises(ConfigError, match=r"takes a sampler, such as .*; got int"):
        GraphSampler(3)  # type: ignore[arg-type]


def test_a_law_of_ones_own_is_not_drawn_by_another() -> None:
    class Renamed(Uniform):
        """Draws as Uniform does."""

    class First(Uniform):
        def _draw(self, backend: Any, rows: Any, stream: Any, score: Any) -> Negatives:
            raise NotImplementedError

    GraphSampler(Renamed(ITEMS))
    with pytest.raises(ConfigError, match=r"First overrides _draw, which a graph does not"):
        GraphSampler(First(ITEMS))


@pytest.mark.parametrize("law", ["uniform", "genni", "genni, scheduled"])
def test_the_law_is_that_of_the_next_call(law: str) -> None:
    """Of a subset of each call, and of a spawned sampler likewise."""
    sampler, reference = GraphSampler(LAWS[law]("auto")), LAWS[law]("numpy")
    arguments = ARGUMENTS | {"score": DotProduct(QUERIES, EMBEDDINGS)}
    assert (sampler.items, sampler.num_negatives) == (ITEMS, 4)
    for ours, theirs in ((sampler, reference), (sampler.spawn(2), reference.spawn(2))):
        for _ in range(2):
            found = ours.probabilities(TARGETS, **arguments)
            np.testing.assert_allclose(found, theirs.probabilities(TARGETS, **arguments), rtol=1e-6)
            assert_same(ours.sample(TARGETS, **arguments), theirs.sample(TARGETS, **arguments))


@pytest.mark.filterwarnings("ignore:alpha is 0 and no score is read")
@pytest.mark.parametrize("alpha", [3e-37, Exponential(m=1, initial=1e-39, high=1.0)])
def test_an_alpha_below_the_least_is_0(alpha: Any) -> None:
    sampler, uniform = GraphSampler(GenNi(ITEMS, 4, alpha=alpha)), Uniform(ITEMS, 4)
    score = DotProduct(QUERIES, np.full_like(EMBEDDINGS, -np.inf))
    ours = tf.function(lambda: sampler.sample(TARGETS, score=score))()
    assert_same(ours, uniform.sample(TARGETS))


REPLICAS = """
import tensorflow as tf
from negsamp import ConfigError, Uniform
from negsamp_tensorflow import GraphSampler

device = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [device] * 2)
strategy = tf.distribute.MirroredStrategy(["cpu:0", "cpu:1"])
sampler = Uniform(1000, 8)
own = [GraphSampler(sampler.spawn(replica)) for replica in range(2)]

def draw(samplers):
    def in_replica():
        context = tf.distribute.get_replica_context()
        replica = tf.get_static_value(context.replica_id_in_sync_group)
        return samplers[replica].sample([1, 2]).item_ids

    run = tf.function(lambda: strategy.run(in_replica), autograph=False)
    return strategy.experimental_local_results(run())

for found, one in zip(draw(own), own):
    assert (found.numpy() == one.sampler.sample([1, 2]).item_ids).all()

def refused(make):
    try:
        make()
    except ConfigError as error:
        return str(error)

message = "make one for each replica outside the strategy's scope, GraphSampler(sampler.spawn("
assert message in refused(lambda: draw([GraphSampler(sampler)] * 2))
with strategy.scope():
    assert message in refused(lambda: GraphSampler(sampler))
"""


def test_each_replica_has_a_sampler_of_its_own() -> None:
    subprocess.run([sys.executable, "-c", REPLICAS], check=True)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_scores_are_float32_whatever_comes(dtype: str, beta: float) -> None:
    queries, table = tf.cast(QUERIES, dtype), tf.cast(EMBEDDINGS, dtype)

    def draw(queries: Any, table: Any) -> Any:
        sampler = GraphSampler(GenNi(ITEMS, 3, beta=beta))
        return sampler.sample(TARGETS, score=DotProduct(queries, table)).item_ids.numpy()

    narrow = draw(queries, table)
    wide = draw(tf.cast(queries, tf.float32), tf.cast(table, tf.float32))
    np.testing.assert_array_equal(narrow, wide)
    mixed = draw(queries, tf.cast(table, tf.float32))
    np.testing.assert_array_equal(mixed, wide)


def test_no_gradient_flows() -> None:
    queries, table = tf.Variable(QUERIES), tf.Variable(EMBEDDINGS)
    sampler = GraphSampler(GenNi(ITEMS))

    @tf.function  # type: ignore[untyped-decorator]
    def gradients() -> Any:
        with tf.GradientTape() as tape:
            log_q = sampler.sample(TARGETS, score=DotProduct(queries, table)).log_q
        return tape.gradient(log_q, [queries, table])

    assert gradients() == [None, None]


def test_eager_draws_take_scores_far_beyond_float32() -> None:
    """Exponents that overflow: the same draws as the reference, a finite log_q."""
    for scale in (1.0, 1e2, 1e4):
        score = DotProduct(QUERIES * np.float32(scale), EMBEDDINGS)
        ours = GenNi(ITEMS, 4, backend="tensorflow").sample(TARGETS, score=score)
        theirs = GenNi(ITEMS, 4, backend="numpy").sample(TARGETS, score=score)
        assert np.mean(ours.item_ids.numpy() == theirs.item_ids) >= 0.99
        assert math.isfinite(float(tf.reduce_max(tf.abs(ours.log_q))))


def test_a_dot_product_can_be_asked_by_itself() -> None:
    """As a callable of one's own does that adds a bias, say."""
    tensors = tf.constant(QUERIES), tf.Variable(EMBEDDINGS)
    ids = np.array([1, 7, 300])
    scores = DotProduct(*tensors)(tf.constant(ids))
    np.testing.assert_allclose(scores.numpy(), DotProduct(QUERIES, EMBEDDINGS)(ids), rtol=1e-5)


def test_a_layer_is_no_table_but_has_one() -> None:
    layer = tf.keras.layers.Embedding(301, 8)
    layer.build(())
    with pytest.raises(InvalidInputError, match=r"got Embedding; pass its \.embeddings$"):
        GenNi(ITEMS).sample(tf.constant(TARGETS), score=DotProduct(tf.constant(QUERIES), layer))


def test_a_keras_variable_is_of_the_framework_it_holds() -> None:
    table = tf.keras.Variable(EMBEDDINGS)
    ours = GenNi(ITEMS, 4).sample(TARGETS, score=DotProduct(tf.constant(QUERIES), table))
    assert tf.is_tensor(ours.item_ids)
    theirs = GenNi(ITEMS, 4, backend="tensorflow").sample(
        TARGETS, score=DotProduct(QUERIES, EMBEDDINGS)
    )
    np.testing.assert_array_equal(ours.item_ids, theirs.item_ids)
