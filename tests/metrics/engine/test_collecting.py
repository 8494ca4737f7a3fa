"""One pass over the pictures, shared by processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from limner.errors import DataError
from limner.metrics import runner
from limner.metrics.engine.collecting import Team, alone, collect, num_steps
from limner.metrics.engine.sources import DatasetPictures, GeneratorPictures
from limner.metrics.engine.statistics import FeatureBank, Moments
from limner.metrics.pairs import Similarities

NAMES = ["fid50k", "fid50k_full", "kid50k", "is50k", "pr50k3", "swd", "msssim", "stlpips", "ppl_zfull", "ppl2_wend"]


class Exchange:
    """Lets threads stand for processes."""

    def __init__(self, world):
        self.world, self.states, self.barrier = world, [None] * world, Barrier(world, timeout=30)

    def team(self, rank):
        def gather(state):
            self.states[rank] = state
            self.barrier.wait()
            gathered = list(self.states)
            self.barrier.wait()
            return gathered

        return Team(rank=rank, world=self.world, gather=gather, batch=4)

    def run(self, work):
        with ThreadPoolExecutor(self.world) as pool:
            return list(pool.map(lambda rank: work(self.team(rank)), range(self.world)))


@pytest.mark.parametrize("world", [2, 3])
def test_processes_that_share_the_pictures_get_what_one_gets(world, make_generator, make_dataset, networks, tmp_path):
    generator, dataset = make_generator((16, 16), c_dim=2), make_dataset(45, (16, 16), c_dim=2)

    def measure(team):
        generated, real = GeneratorPictures(generator, dataset), DatasetPictures(dataset)
        results = runner.evaluate(
            NAMES, generated, real, networks=networks, num=40, team=team, cache=tmp_path / str(team.world)
        )
        return {name: value for result in results for name, value in result.values.items()}

    networks.get("inception")
    single = measure(Team(batch=4))
    for values in Exchange(world).run(measure):
        assert values == pytest.approx(single, rel=1e-9, abs=1e-12)


def test_rows_are_exactly_those_of_one_process(make_generator, networks):
    bank = FeatureBank(count=37, extractor="inception", output="pool")
    source = GeneratorPictures(make_generator((16, 16)))
    single = collect(source, [bank], networks, Team(batch=4))[bank]
    assert single["index"].tolist() == list(range(37))
    for states in Exchange(3).run(lambda team: collect(source, [bank], networks, team)):
        assert torch.equal(states[bank]["rows"], single["rows"])


def test_more_processes_than_blocks_do_no_harm(make_generator, networks):
    moments = Moments(count=5, extractor="inception", output="pool")
    bank = FeatureBank(count=5, extractor="inception", output="pool")
    source = GeneratorPictures(make_generator((16, 16)))
    for states in Exchange(4).run(lambda team: collect(source, [moments, bank], networks, team)):
        assert states[moments]["count"] == 5
        assert states[bank]["rows"].shape == (5, 6)


def test_a_statistic_gets_the_first_pictures_up_to_its_count(make_dataset, networks):
    dataset = make_dataset(30, (16, 16))
    few = FeatureBank(count=11, extractor="inception", output="pool")
    many = FeatureBank(count=30, extractor="inception", output="pool")
    states = collect(DatasetPictures(dataset), [few, many, few], networks, Team(batch=8))
    assert torch.equal(states[few]["rows"], states[many]["rows"][:11])
    assert networks.get("inception").seen == 30
    assert len(dataset.asked) == 30


def test_a_network_is_not_shown_what_nobody_asks_of_it(make_dataset, networks):
    wanted = [Similarities(count=30), FeatureBank(count=11, extractor="inception", output="pool")]
    collect(DatasetPictures(make_dataset(30, (16, 16))), wanted, networks, Team(batch=8))
    assert networks.get("inception").seen == 11


def test_pairs_stay_together_in_odd_batches(make_dataset, networks):
    similarities = Similarities(count=20)
    source = DatasetPictures(make_dataset(20, (16, 16)))
    odd, even = (collect(source, [similarities], networks, Team(batch=b))[similarities] for b in (3, 20))
    torch.testing.assert_close(odd["rows"], even["rows"], rtol=1e-12, atol=0)
    assert odd["index"].tolist() == list(range(0, 20, 2))


def test_a_broken_picture_in_the_middle_ends_the_pass_with_its_sentence(make_dataset, networks):
    dataset = make_dataset(30, (16, 16))
    dataset.image = lambda i: (_ for _ in ()).throw(DataError("cannot read 'b.png'")) if i == 7 else dataset.pictures[i]
    with pytest.raises(DataError, match=r"cannot read 'b.png'"):
        collect(DatasetPictures(dataset), [Similarities(count=30)], networks, Team(batch=4))


def test_convolutions_are_exact_within_and_as_they_were_after(make_generator, networks, monkeypatch):
    seen = []
    network = networks.get("inception")
    extract = network.extract
    monkeypatch.setattr(network, "extract", lambda x: seen.append(torch.backends.cudnn.allow_tf32) or extract(x))
    before = torch.backends.cudnn.allow_tf32
    bank = FeatureBank(count=2, extractor="inception", output="pool")
    collect(GeneratorPictures(make_generator((16, 16))), [bank], networks, Team())
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 == before


def test_steps_are_pictures_and_paths():
    wanted = [
        s for name in ("fid20", "swd40", "ppl_wend_30", "ppl_zend_10") for s in runner.find(name).generated_statistics()
    ]
    assert num_steps(wanted) == 40 + 30 + 10
    assert num_steps([]) == 0


def test_one_process_gathers_its_own_state():
    state = {"a": torch.ones(1)}
    assert alone(state) == [state]
