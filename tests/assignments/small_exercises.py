# %% [markdown]
# # Exercises: something small
#
# A course of two lines.

# %% nbgrader={"grade": false, "grade_id": "given", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

GIVEN = 2.0

# %% [markdown]
# ## 1. Twice
#
# *easy · 5 minutes · 6 points*
#
# Return twice the array.


# %% nbgrader={"grade": false, "grade_id": "twice", "locked": false, "schema_version": 3, "solution": true, "task": false}
def twice(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return GIVEN * x
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "twice-visible", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from goalward.course.assignments import expect

expect.close(twice(np.arange(3.0)), [0, 2, 4], "the double of 0, 1, 2")

# %% nbgrader={"grade": true, "grade_id": "twice-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
from goalward.course.assignments import hidden

_x = hidden.rng("twice").normal(size=5)
expect.close(twice(_x.copy()), _x + _x, "the double")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Sum
#
# *medium · 5 minutes · 7 points*
#
# Return the sum of the array.


# %% nbgrader={"grade": false, "grade_id": "total", "locked": false, "schema_version": 3, "solution": true, "task": false}
def total(x):
    """The sum of x."""
    ### BEGIN SOLUTION
    return float(np.einsum("i->", x))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "total-visible", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
expect.close(total(np.ones(4)), 4, "the sum of four ones")

# %% nbgrader={"grade": true, "grade_id": "total-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
_y = hidden.rng("total").normal(size=7)
expect.close(total(_y.copy()), sum(_y), "the sum")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Least
#
# *hard · 5 minutes · 7 points*
#
# Return the least entry, with a key for it.


# %% nbgrader={"grade": false, "grade_id": "least", "locked": false, "schema_version": 3, "solution": true, "task": false}
def least(x):
    """A dictionary with the least entry and its place."""
    ### BEGIN SOLUTION
    place = int(np.argmin(x))
    return {"value": x[place], "place": place}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "least-visible", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
_least = least(np.array([2.0, 1.0]))
assert _least == {"value": 1.0, "place": 1}, f"of 2, 1 the least is 1 at 1, not {_least}"

# %% nbgrader={"grade": true, "grade_id": "least-hidden", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# Hidden tests stand here when this is graded: other numbers, sizes and seeds.
### BEGIN HIDDEN TESTS
_z = hidden.rng("least").normal(size=6)
assert least(_z.copy())["place"] == min(range(6), key=lambda i: _z[i]), "the place is wrong"
### END HIDDEN TESTS
