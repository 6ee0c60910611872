"""The list of programs that every test over programs uses: (function, arguments)."""

CORPUS = []


def program(*arguments):
    def enter(function):
        CORPUS.append((function, arguments))
        return function

    return enter
