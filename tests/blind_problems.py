"""Random problems in which the targets that one fold holds out are changed, and what of its path differs then."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp

from sparsereg import cross_validate_path

COMPARED = ("alphas", "intercepts", "dual_gaps", "n_iters", "n_products", "deviance_explained")


def one_hot(rng, n):
    """Fields and some of their crosses, as columns of ones."""
    fields = [rng.integers(0, int(k), n) for k in rng.integers(2, 40, int(rng.integers(1, 5)))]
    for _ in range(int(rng.integers(0, 3))):
        a, b = rng.integers(0, len(fields), 2)
        fields.append(fields[a] * 1000 + fields[b])
    blocks = []
    for field in fields:
        _, level = np.unique(field, return_inverse=True)
        blocks.append(sp.csr_array((np.ones(n), (np.arange(n), level.ravel()))))
    return blocks


def draw_X(rng, n):
    """Columns of ones, numbers, copies and constants, as a CSR, a CSC or a dense array."""
    blocks = one_hot(rng, n) if rng.random() < 0.7 else []
    if not blocks or rng.random() < 0.5:
        density = rng.choice([0.02, 0.1, 0.5])
        part = sp.random_array((n, int(rng.integers(1, 60))), density=density, rng=rng, format="csr")
        part.data = rng.normal(size=part.nnz) if rng.random() < 0.6 else rng.choice([1.0, 2.0, -1.0], part.nnz)
        blocks.append(part)
    if rng.random() < 0.15:
        blocks.append(sp.csr_array(rng.normal(size=(n, 2)) + rng.choice([0.0, 1e4])))
    X = sp.csr_array(sp.hstack(blocks))
    if rng.random() < 0.3:
        X = sp.csr_array(X[:, rng.integers(0, X.shape[1], X.shape[1] + 5)])
    X = sp.csr_array(X[:, rng.permutation(X.shape[1])].astype(rng.choice([np.float32, np.float64])))
    kind = rng.random()
    return X if kind < 0.85 else X.tocsc() if kind < 0.93 else X.toarray()


def linear_part(rng, X):
    """A predictor of a few columns."""
    w = rng.normal(size=X.shape[1]) * (rng.random(X.shape[1]) < 0.3)
    z = X @ w
    return (z - z.mean()) / (z.std() or 1.0)


def draw_y(rng, loss, z):
    n = z.size
    if loss == "squared":
        noise = rng.choice([0.1, 1.0, 3.0]) * rng.normal(size=n)
        return 3.0 * z + noise + rng.choice([0.0, 5.0, 1e5], p=[0.6, 0.35, 0.05])
    if loss == "poisson":
        return rng.poisson(np.exp(0.5 * z)).astype(np.float64)
    if loss == "logistic":
        return (z + rng.logistic(size=n) > 0.0).astype(int)
    return np.digitize(z + rng.normal(size=n), [-0.7, 0.7])


def changed(rng, loss, y, test):
    """Other targets in these rows."""
    y = y.copy()
    if loss == "squared":
        kind = rng.integers(0, 5)
        near, far = y[test] + 0.1 * rng.normal(size=test.size), 1e6 * rng.normal(size=test.size)
        y[test] = [near, far, 100.0 - 3.0 * y[test], np.full(test.size, 1e7), np.zeros(test.size)][kind]
    elif loss == "poisson":
        y[test] = rng.poisson(rng.choice([0.1, 3.0, 50.0]), test.size)
    else:
        y[test] = rng.permutation(y[test]) if rng.random() < 0.3 else rng.integers(0, y.max() + 1, test.size)
    return y


def draw_folds(rng, y, loss):
    """Folds of any sizes, shuffled or not; some rows may never be held out."""
    n, k = y.size, int(rng.integers(2, 9))
    shares = rng.dirichlet(np.full(k, rng.choice([2.0, 50.0])))
    of = rng.choice(k, n, p=shares)
    if rng.random() < 0.3:
        of = np.sort(of)
    if rng.random() < 0.2:
        of[rng.random(n) < 0.2] = -1
    folds = [(np.flatnonzero(of != f), np.flatnonzero(of == f)) for f in range(k)]
    if rng.random() < 0.1:
        folds = [(train[rng.random(train.size) < 0.9], test) for train, test in folds]
    folds = [fold for fold in folds if fold[1].size and fold[0].size > 5]
    if loss in ("logistic", "multinomial"):
        folds = [fold for fold in folds if np.unique(y[fold[0]]).size == np.unique(y).size]
    return folds


def draw_options(rng, loss, n, p):
    """Options of a path, weights among them."""
    draw = rng.random(8)
    options = {"loss": loss, "l1_ratio": float(rng.choice([1.0, 1.0, 0.9, 0.5])), "standardize": bool(draw[0] < 0.25)}
    options |= {"fit_intercept": bool(draw[1] < 0.8), "tol": float(rng.choice([1e-4, 1e-4, 1e-7]))}
    if draw[2] < 0.3:
        s = rng.integers(0, 2, n) if draw[3] < 0.3 else rng.uniform(0.2, 3.0, n)
        options["sample_weight"] = s.astype(np.float64)
    if draw[4] < 0.2:
        factor = rng.uniform(0.5, 2.0, p)
        factor[rng.random(p) < 0.02] = 0.0 if draw[5] < 0.5 else 1.0
        options["penalty_factor"] = factor
    if loss != "multinomial" and draw[6] < 0.15:
        options["positive"] = True
    elif draw[7] < 0.15:
        options["relax"] = True
        if loss != "squared":  # else long where columns tell targets apart
            options["l1_ratio"] = 0.5
    if loss != "squared":  # some are hard, and digits tell as soon
        options["max_iter"] = 30
    if loss != "multinomial" and rng.random() < 0.1:
        options["offset"] = rng.normal(size=n)
    return options


def differences(seed, losses=("squared",) * 5 + ("logistic", "poisson", "multinomial"), threads=(1, 1, 2)):
    """Which results of a fold's path on a random problem follow the targets that it holds out."""
    rng = np.random.default_rng(seed)
    loss = str(rng.choice(list(losses)))
    n = int(rng.integers(20, (1200 if rng.random() < 0.2 else 200) if loss == "squared" else 100))
    X = draw_X(rng, n)
    y = draw_y(rng, loss, linear_part(rng, X))
    folds, options = draw_folds(rng, y, loss), draw_options(rng, loss, n, X.shape[1])
    if not folds:
        return []
    top = np.abs(X.T @ (y - y.mean())).max() / n
    least = rng.choice([1e-1, 1e-2, 1e-3] if loss == "squared" else [0.3, 0.1, 0.03])
    alphas = top * rng.choice([0.5, 1.0, 2.0]) * least ** np.linspace(0.0, 1.0, int(rng.integers(2, 16)))
    f = int(rng.integers(len(folds)))
    other = changed(rng, loss, y, folds[f][1])
    asked = {"cv": folds, "alphas": alphas, "keep_fold_paths": True, **options}
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for targets in (y, other):
            try:
                found.append(cross_validate_path(X, targets, n_jobs=int(rng.choice(threads)), **asked))
            except ValueError as error:
                found.append(str(error))
    if any(isinstance(one, str) for one in found):  # what other folds, or all rows, refuse
        return []
    return differing(*(one.chosen.fold_paths[f] for one in found))


def differing(before, after):
    """The names of results that are not bitwise the same."""
    names = [name for name in COMPARED if not same(getattr(before, name), getattr(after, name))]
    coefs = [path.coefs if isinstance(path.coefs, tuple) else (path.coefs,) for path in (before, after)]
    for old, new in zip(*coefs, strict=True):
        if not all(same(getattr(old, name), getattr(new, name)) for name in ("data", "indices", "indptr")):
            return [*names, "coefs"]
    return names


def same(a, b):
    return (a is None and b is None) or np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
