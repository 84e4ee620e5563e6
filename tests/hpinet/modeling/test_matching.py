"""Which patch each patch looks at (Eq. 8), and changing it."""

import pytest
import torch

from hpinet import BlockMatches, get_config, own_matches
from hpinet.modeling import matching as m
from hpinet.modeling.patches import division


def test_best_match_by_hand():
    tokens = torch.tensor([[[1.0, 0], [3, 1], [0, 2], [1, 1]]])
    # inner products: 0-1: 3, 0-2: 0, 0-3: 1; 1-2: 2, 1-3: 4; 2-3: 2
    index, value = m.best_matches(tokens)
    assert index.tolist() == [[1, 3, 1, 1]]
    torch.testing.assert_close(value, torch.tensor([[3.0, 4, 2, 4]]) * 2**-0.5)


def test_a_patch_never_matches_itself_however_dissimilar_the_rest():
    tokens = torch.tensor([[[1e4, 0.0], [-1e4, 0]]])
    assert m.best_matches(tokens)[0].tolist() == [[1, 0]]
    assert m.similarity(tokens).diagonal(dim1=1, dim2=2).eq(-torch.inf).all()


def test_a_lone_patch_matches_itself():
    index, value = m.best_matches(torch.ones(2, 1, 3))
    assert index.tolist() == [[0], [0]]
    assert value.isnan().all()


def test_chunks_give_what_the_whole_matrix_gives():
    tokens = torch.randn(2, 37, 8)
    whole = m.best_matches(tokens)
    by_fives = m.best_matches(tokens, 2 * 37 * 5)  # five rows at a time
    for got, expected in zip(by_fives, whole, strict=True):
        torch.testing.assert_close(got, expected)


def test_each_picture_of_a_batch_takes_its_own_patches():
    cut = division(4, 12, 4, 0)  # three patches of 16 pixels
    patches = torch.arange(2 * 3).reshape(2, 3, 1, 1).float().expand(-1, -1, 16, -1)
    x = cut.aggregate(patches.contiguous())
    for index in ([[2, 0, 0], [1, 1, 2]], [[0, 0, 1]]):
        taken = cut.gather(x, torch.tensor(index))
        expected = torch.tensor(index) + torch.tensor([[0], [3]])
        assert taken.equal(expected[..., None, None].expand(2, 3, 16, 1).float())


def test_straight_through_gradients_equal_the_plain_formula():
    torch.manual_seed(0)
    scores = torch.randn(2, 6, 6, dtype=torch.float64).masked_fill(torch.eye(6).bool(), -torch.inf)
    patches = torch.randn(2, 6, 5, 3, dtype=torch.float64)
    target = torch.randn_like(patches)
    noise = torch.randn_like(scores)
    gradients = []
    for plain in (True, False):
        s, x = scores.clone().requires_grad_(), patches.clone().requires_grad_()
        soft = torch.softmax(s + noise, -1)
        index = soft.argmax(-1)
        if plain:
            hard = torch.nn.functional.one_hot(index, 6) - soft.detach() + soft
            taken = (hard @ x.flatten(2)).view_as(x)
        else:
            hard = x[torch.arange(2)[:, None], index]
            taken = m.straight_through(hard, soft, x.detach())
        ((taken - target) ** 2).sum().backward()
        gradients.append((taken.detach(), s.grad, x.grad))
    for got, expected in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_gumbel_draws_follow_the_softmax_and_leave_the_diagonal_out():
    torch.manual_seed(1)
    scores = torch.tensor([[-torch.inf, 1.0, 0.0], [0.0, -torch.inf, 2.0], [1.0, 1.0, -torch.inf]])
    index, soft = m.gumbel_matches(scores.expand(4000, 3, 3))
    share = torch.nn.functional.one_hot(index, 3).float().mean(0)
    torch.testing.assert_close(share, torch.softmax(scores, -1), atol=0.03, rtol=0)
    assert soft.diagonal(dim1=1, dim2=2).eq(0).all()


def test_seeded_draws_do_not_depend_on_the_rest_of_the_batch():
    scores = torch.randn(3, 9, 9).masked_fill(torch.eye(9).bool(), -torch.inf)
    index, soft = m.gumbel_matches(scores, [5, 6, 7])
    alone, one = m.gumbel_matches(scores[1:2], [6])
    assert alone.equal(index[1:2])
    assert one.equal(soft[1:2])
    assert not m.gumbel_matches(scores[1:2], [8])[1].equal(one)


def test_changing_matches():
    matches = own_matches(get_config("S"), 24, 34)
    first = matches.blocks[0]
    assert first.origins.tolist()[:3] == [[0, 0], [0, 10], [0, 20]]
    n = len(first.origins)
    changed = matches.with_block(0, torch.zeros(n, dtype=torch.long))
    assert changed.blocks[0].index.eq(0).all()
    assert first.index.tolist() == [list(range(n))]  # the original is as it was
    assert changed.own([0]).blocks[0].index.equal(first.index)
    assert changed.live([2]).blocks[2] is None
    assert own_matches(get_config("S-no-gpa"), 24, 34).blocks == ()


@pytest.mark.parametrize(
    ("block", "index", "message"),
    [
        (8, [0], "no block 8"),
        (-1, [0], "no block -1"),
        (0, [0, 1], "this block has 9 patches, but 2"),
        (0, [0, 1, 2, 3, 4, 5, 6, 7, 9], "no patch 9"),
        (0, [0, 1, 2, 3, 4, 5, 6, 7, -1], "no patch -1"),
        (0, [0.5] * 6, "pass integers"),
    ],
)
def test_matches_that_do_not_fit_are_refused_in_one_sentence(block, index, message):
    with pytest.raises(ValueError, match=message):
        own_matches(get_config("S"), 24, 30).with_block(block, index)


def test_similarity_of_changed_matches_comes_from_the_matrix():
    tokens = torch.tensor([[[1.0, 0], [3, 1], [0, 2]]])
    scores = m.similarity(tokens)
    index, value = m.best_matches(tokens)
    block = BlockMatches(12, torch.zeros(3, 2, dtype=torch.long), index, value, scores)
    assert block.with_index(torch.tensor([2, 2, 0])).similarity.tolist() == [
        [scores[0, 0, 2], scores[0, 1, 2], scores[0, 2, 0]]
    ]
