"""One file per step. Each has the same few functions, pure, and says in them all that a step is.

applies(seen)              whether the step is part of this release; one that waits for nothing is passed over
enter(state, seen)         the state at its beginning
advance(state, seen)       Stay, Passed, Failed, or a Transition of its own
goes_by_pods(state, seen)  whether nothing can be said before the pods are listed
desired(state, seen)       what the two colours and the Services should be like in it

Keep, SwitchBack and Undo follow no other step by themselves, and do without the first two.
"""
