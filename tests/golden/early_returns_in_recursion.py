import numpy as np


def _first_large_forward(x, i, limit, returned_stack, count_stack, t_stack, k_stack, returned_stack_1, count_stack_1, t_stack_1, k_stack_1):
    """`_first_large`, saving what its reverse sweep reads."""
    # if i >= len(x):
    if not i >= x.shape[0]:
        # if x[i] > limit:
        t = x[i]
        if t > limit:
            # return x[i] * limit
            t_1 = t * limit
        else:
            # for k in range(i):
            returned = False
            going = True
            k = 0
            result = 0.0
            count = 0
            while going and k < i:
                # if x[k] * x[i] > 1.1:
                t_2 = x[k]
                t_3 = t_2 * t > 1.1
                if t_3:
                    # return x[k] + _first_large(x, i + 2, limit * x[k])
                    t_4 = _first_large_forward_1(x, i + 2, limit * t_2, returned_stack_1, count_stack_1, t_stack_1, k_stack_1)
                    result = t_2 + t_4
                    # if x[k] * x[i] > 1.1:
                    returned = True
                    going = False
                # for k in range(i):
                count += 1
                # if x[k] * x[i] > 1.1:
                t_stack.append(t_3)
                k_stack.append(k)
                k += 1
            # return x[k] + _first_large(x, i + 2, limit * x[k])
            if not returned:
                # return _first_large(x, i + 1, limit * 1.01)
                result = _first_large_forward(x, i + 1, limit * 1.01, returned_stack, count_stack, t_stack, k_stack, returned_stack_1, count_stack_1, t_stack_1, k_stack_1)
            # for k in range(i):
            returned_stack.append(returned)
            count_stack.append(count)
            t_1 = result
        limit = t_1
    return limit


def _first_large_backward(x, i, limit, y_bar, x_bar, returned_stack, count_stack, t_stack, k_stack, returned_stack_1, count_stack_1, t_stack_1, k_stack_1):
    """The reverse sweep of `_first_large`."""
    # if i >= len(x):
    if not i >= x.shape[0]:
        # if x[i] > limit:
        t = x[i]
        if t > limit:
            # return x[i] * limit
            limit_bar = y_bar * t
            t_bar = y_bar * limit
        else:
            returned = returned_stack.pop()
            count = count_stack.pop()
            # return x[k] + _first_large(x, i + 2, limit * x[k])
            if returned:
                result_bar = y_bar
                limit_bar = 0.0
            else:
                # return _first_large(x, i + 1, limit * 1.01)
                t_1 = _first_large_backward(x, i + 1, limit * 1.01, y_bar, x_bar, returned_stack, count_stack, t_stack, k_stack, returned_stack_1, count_stack_1, t_stack_1, k_stack_1)
                limit_bar = t_1 * 1.01
                # return x[k] + _first_large(x, i + 2, limit * x[k])
                result_bar = 0.0
            # for k in range(i):
            for k in range(count):
                t_2 = t_stack.pop()
                k = k_stack.pop()
                # if x[k] * x[i] > 1.1:
                t_3 = x[k]
                if t_2:
                    # return x[k] + _first_large(x, i + 2, limit * x[k])
                    t_4 = _first_large_backward_1(x, i + 2, limit * t_3, result_bar, x_bar, returned_stack_1, count_stack_1, t_stack_1, k_stack_1)
                    limit_bar += t_4 * t_3
                    # if x[k] * x[i] > 1.1:
                    t_bar_1 = result_bar + t_4 * limit
                    result_bar = 0.0
                else:
                    t_bar_1 = 0.0
                x_bar[k] += t_bar_1
            t_bar = 0.0
        x_bar[i] += t_bar
        y_bar = limit_bar
    return y_bar


def _first_large_forward_1(x, i, limit, returned_stack, count_stack, t_stack, k_stack):
    """`_first_large`, saving what its reverse sweep reads."""
    # if i >= len(x):
    if not i >= x.shape[0]:
        # if x[i] > limit:
        t = x[i]
        if t > limit:
            # return x[i] * limit
            t_1 = t * limit
        else:
            # for k in range(i):
            returned = False
            going = True
            k = 0
            result = 0.0
            count = 0
            while going and k < i:
                # if x[k] * x[i] > 1.1:
                t_2 = x[k]
                t_3 = t_2 * t > 1.1
                if t_3:
                    # return x[k] + _first_large(x, i + 2, limit * x[k])
                    t_4 = _first_large_forward_1(x, i + 2, limit * t_2, returned_stack, count_stack, t_stack, k_stack)
                    result = t_2 + t_4
                    # if x[k] * x[i] > 1.1:
                    returned = True
                    going = False
                # for k in range(i):
                count += 1
                # if x[k] * x[i] > 1.1:
                t_stack.append(t_3)
                k_stack.append(k)
                k += 1
            # return x[k] + _first_large(x, i + 2, limit * x[k])
            if not returned:
                # return _first_large(x, i + 1, limit * 1.01)
                result = _first_large_forward_1(x, i + 1, limit * 1.01, returned_stack, count_stack, t_stack, k_stack)
            # for k in range(i):
            returned_stack.append(returned)
            count_stack.append(count)
            t_1 = result
        limit = t_1
    return limit


def _first_large_backward_1(x, i, limit, limit_bar, x_bar, returned_stack, count_stack, t_stack, k_stack):
    """The reverse sweep of `_first_large`."""
    # if i >= len(x):
    if not i >= x.shape[0]:
        # if x[i] > limit:
        t = x[i]
        if t > limit:
            # return x[i] * limit
            limit_bar_1 = limit_bar * t
            t_bar = limit_bar * limit
        else:
            returned = returned_stack.pop()
            count = count_stack.pop()
            # return x[k] + _first_large(x, i + 2, limit * x[k])
            if returned:
                result_bar = limit_bar
                limit_bar_2 = 0.0
            else:
                # return _first_large(x, i + 1, limit * 1.01)
                t_1 = _first_large_backward_1(x, i + 1, limit * 1.01, limit_bar, x_bar, returned_stack, count_stack, t_stack, k_stack)
                limit_bar_2 = t_1 * 1.01
                # return x[k] + _first_large(x, i + 2, limit * x[k])
                result_bar = 0.0
            # for k in range(i):
            for k in range(count):
                t_2 = t_stack.pop()
                k = k_stack.pop()
                # if x[k] * x[i] > 1.1:
                t_3 = x[k]
                if t_2:
                    # return x[k] + _first_large(x, i + 2, limit * x[k])
                    t_4 = _first_large_backward_1(x, i + 2, limit * t_3, result_bar, x_bar, returned_stack, count_stack, t_stack, k_stack)
                    limit_bar_2 += t_4 * t_3
                    # if x[k] * x[i] > 1.1:
                    t_bar_1 = result_bar + t_4 * limit
                    result_bar = 0.0
                else:
                    t_bar_1 = 0.0
                x_bar[k] += t_bar_1
            t_bar = 0.0
            limit_bar_1 = limit_bar_2
        x_bar[i] += t_bar
        limit_bar = limit_bar_1
    return limit_bar


def grad_early_returns_in_recursion(x, limit):
    """grad_early_returns_in_recursion: generated by adcompile from `early_returns_in_recursion`."""
    returned_stack = []
    count_stack = []
    t_stack = []
    k_stack = []
    returned_stack_1 = []
    count_stack_1 = []
    t_stack_1 = []
    k_stack_1 = []
    # return _first_large(x, 0, limit)
    _first_large_forward(x, 0, limit, returned_stack, count_stack, t_stack, k_stack, returned_stack_1, count_stack_1, t_stack_1, k_stack_1)
    x_bar = np.zeros(x.shape)
    limit_bar = _first_large_backward(x, 0, limit, 1.0, x_bar, returned_stack, count_stack, t_stack, k_stack, returned_stack_1, count_stack_1, t_stack_1, k_stack_1)
    return x_bar, limit_bar
