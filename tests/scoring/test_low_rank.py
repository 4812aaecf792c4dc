"""Covariances less a few outer products, against the same written out."""

import numpy as np
import pytest

from genprint.scoring.low_rank import LowRank


@pytest.mark.parametrize(("dtype", "within"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("count", [3, 30])
def test_inverses_are_those_written_out(rng, count, dtype, within):
    diagonal, rows = rng.uniform(0.5, 2, (2, 20)), (0.05 * rng.normal(size=(2, count, 20))).astype(dtype)
    written = np.stack(
        [np.diag(own) - 0.7 * part.T @ part for own, part in zip(diagonal, rows.astype(float), strict=True)]
    )
    inverse, asked = np.linalg.inv(written), rng.normal(size=(2, 7, 20))
    found = LowRank(diagonal, rows, 0.7)
    near = {"rtol": 10 * within, "atol": 10 * within}
    assert np.allclose(found.solve(asked), asked @ inverse, **near)
    embedded = found.embed(asked)
    assert np.allclose(embedded @ embedded.swapaxes(1, 2), asked @ inverse @ asked.swapaxes(1, 2), **near)
    assert np.allclose(found.inverse_diagonal, np.diagonal(inverse, axis1=1, axis2=2), **near)
    assert np.allclose(found.log_determinant, np.linalg.slogdet(written)[1], **near)
