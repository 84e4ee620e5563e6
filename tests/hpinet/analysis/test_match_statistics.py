"""Statistics of hand-made matches: every number can be counted on the fingers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hpinet import BlockMatches, HPINet, HPINetConfig, Matches
from hpinet.analysis.match_statistics import (
    block_statistics,
    chance_distance,
    covered,
    entropy,
    image_statistics,
    in_degree,
    mutual,
)
from hpinet.modeling.patches import division
from lam.match_analysis.exploration import mean_statistics

# Four patches of 4 over 8x8. 0 and 3 look at each other, 1 at 3, 2 at itself.
ORIGINS = torch.tensor([[0, 0], [0, 4], [4, 0], [4, 4]])
INDEX = torch.tensor([[3, 3, 2, 0]])
MATRIX = torch.tensor(
    [
        [
            [-torch.inf, 1.0, 2.0, 3.0],
            [5.0, -torch.inf, 4.0, 6.0],
            [1.0, 2.0, -torch.inf, 3.0],
            [9.0, 8.0, 7.0, -torch.inf],
        ]
    ]
)
TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))


def block(index=INDEX, matrix=MATRIX):
    similarity = torch.full(index.shape, 0.5)
    return BlockMatches(4, ORIGINS, index, similarity, matrix)


def test_in_degree_counts_choices():
    assert in_degree(INDEX).tolist() == [1, 0, 1, 2]


def test_a_mutual_pair_is_found_and_a_patch_is_no_partner_of_itself():
    assert mutual(INDEX).tolist() == [True, False, False, True]


def test_distances_run_from_centre_to_centre():
    found = block_statistics(block(), (8, 8))
    assert found.distance.tolist() == [math.hypot(4, 4), 4.0, 0.0, math.hypot(4, 4)]
    # Two neighbours at 4 and one across, from any patch.
    assert found.chance_distance == pytest.approx((4 + 4 + math.hypot(4, 4)) / 3)


def test_chance_is_what_all_pairs_say():
    origins = division(37, 52, 12, 2).origins.numpy()
    apart = np.linalg.norm(origins[:, None] - origins[None], axis=-1)
    n = len(origins)
    assert chance_distance(origins) == pytest.approx(apart.sum() / (n * (n - 1)))
    assert math.isnan(chance_distance(origins[:1]))


def test_runners_up_leave_out_the_match_whoever_chose_it():
    found = block_statistics(block(), (8, 8), k=2)
    assert found.runners_up.tolist() == [[2, 1], [0, 2], [3, 1], [1, 2]]
    assert found.runner_up_similarity.tolist() == [[2, 1], [5, 4], [3, 2], [8, 7]]
    assert block_statistics(block(), (8, 8), k=9).runners_up.shape == (4, 2)
    assert block_statistics(block(matrix=None), (8, 8)).runners_up.shape == (4, 0)


def test_entropy_runs_from_one_target_to_all():
    assert entropy([7, 0, 0]) == 0 and math.copysign(1, entropy([7])) == 1
    assert entropy([1, 1, 1, 1]) == 2
    assert entropy(in_degree(INDEX)) == 1.5


def test_only_what_others_look_at_is_used():
    found = block_statistics(block(), (8, 8))
    # Patch 2 is looked at by itself alone, patch 1 by nobody.
    assert found.used[0, 0] and found.used[7, 7]
    assert not found.used[0, 7] and not found.used[7, 0]
    assert found.summary()["coverage"] == 0.5


def test_covered_pixels_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    origins = rng.integers(0, 20, (7, 2))
    plain = np.zeros((18, 23), bool)  # smaller than some patches reach
    for top, left in origins:
        plain[top : top + 5, left : left + 5] = True
    np.testing.assert_array_equal(covered(origins, 5, plain.shape), plain)
    assert not covered(np.zeros((0, 2)), 5, (3, 3)).any()


def test_the_summary_counts_blocks_from_one():
    found = block_statistics(block(), (8, 8), block=6).summary()
    assert found["block"] == 7 and found["patches"] == 4 and found["distinct"] == 3
    assert (found["hub_share"], found["mutual_share"], found["own_share"]) == (0.5, 0.5, 0.25)
    assert found["evenness"] == 0.75 and found["mean_similarity"] == 0.5


def test_rows_are_plain_and_say_where_the_match_is():
    rows = block_statistics(block(), (8, 8), k=1).to_rows()
    assert len(rows) == 4
    assert rows[1] == {
        **{"block": 1, "patch_size": 4, "patch": 1, "top": 0, "left": 4},
        **{"match": 3, "match_top": 4, "match_left": 4, "similarity": 0.5, "distance": 4.0},
        **{"in_degree": 0, "mutual": False, "runner_up_1": 0, "similarity_1": 5.0},
    }
    assert all(type(v) in (int, float, bool) for row in rows for v in row.values())


def test_a_networks_matches_are_the_best_and_runners_up_follow():
    torch.manual_seed(0)
    model = HPINet(TINY).eval()
    with torch.inference_mode():
        _, matches = model(torch.rand(1, 3, 40, 33), return_matches=True, similarity_matrix=True)
    for found in image_statistics(matches, (40, 33), k=2):
        scores = matches.blocks[found.block].matrix[0].numpy()
        order = np.argsort(-scores, axis=1)
        np.testing.assert_array_equal(found.index, order[:, 0])
        np.testing.assert_array_equal(found.runners_up, order[:, 1:3])
        assert found.in_degree.sum() == len(found.index)


def test_a_lone_patch_has_no_numbers_that_are_not_numbers():
    lone = BlockMatches(4, ORIGINS[:1], torch.tensor([[0]]), torch.tensor([[torch.nan]]))
    found = block_statistics(lone, (3, 4))
    assert found.summary()["evenness"] is None and found.summary()["chance_distance"] is None
    assert found.summary()["mean_similarity"] is None and found.to_rows()[0]["similarity"] is None
    assert found.used.shape == (3, 4) and found.summary()["coverage"] == 0


def test_means_over_pictures_leave_out_what_is_undefined():
    first, second = (block_statistics(block(), (8, 8)).summary() for _ in range(2))
    second.update(evenness=None, distinct=1)
    (mean,) = mean_statistics([first, second])
    assert (mean["distinct"], mean["evenness"], mean["pictures"]) == (2, 0.75, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: block_statistics(block(INDEX.expand(2, 4)), (8, 8)), "image"),
        (lambda: block_statistics(block(), (8, 8), k=-1), "-1"),
        (lambda: image_statistics(Matches((), (8, 8))), "Global Pixel Access"),
        (lambda: image_statistics(Matches((None,), (8, 8))), "forward pass"),
    ],
)
def test_input_that_does_not_fit_is_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
