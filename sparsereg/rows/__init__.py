"""Where rows live, and the sums over them that solvers ask for. Nothing as long as the rows leaves this layer.

`contract` says what any such place must answer, `memory` answers from arrays, and `parts` adds up the answers of
several places.
"""
