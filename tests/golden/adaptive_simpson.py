import numpy as np


def _simpson_forward(a, b, fa, fm, fb, whole, tolerance, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, t_stack_9, t_stack_10, t_stack_11):
    """`_simpson`, saving what its reverse sweep reads."""
    m = 0.5 * (a + b)
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t = a + m
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_1 = -w
    t_2 = np.exp(t_1 * (0.5 * t))
    t = np.sin(1.5 * t * w)
    left = t_2 * t
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_3 = m + b
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_4 = np.exp(t_1 * (0.5 * t_3))
    t_5 = np.sin(1.5 * t_3 * w)
    right = t_4 * t_5
    h = b - a
    # first = h / 12 * (fa + 4 * left + fm)
    t_6 = h / 12
    first = t_6 * (fa + 4 * left + fm)
    # second = h / 12 * (fm + 4 * right + fb)
    second = t_6 * (fm + 4 * right + fb)
    # error = first + second - whole
    t_7 = first + second
    error = t_7 - whole
    # if abs(error) <= 15 * tolerance:
    if np.abs(error) <= 15 * tolerance:
        # return first + second + error / 15
        t_8 = t_7 + error / 15
    else:
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_9 = tolerance / 2
        one = _simpson_forward(a, m, fa, left, fm, first, t_9, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, t_stack_9, t_stack_10, t_stack_11)
        # return one + _simpson(f, m, b, fm, right, fb, second, tolerance / 2)
        t_10 = _simpson_forward_1(m, b, fm, right, fb, second, t_9, w, t_stack_6, t_stack_7, t_stack_8, t_stack_9, t_stack_10, t_stack_11)
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_stack_5.append(t_9)
        t_8 = one + t_10
    # first = h / 12 * (fa + 4 * left + fm)
    t_stack.append(t_6)
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_stack_1.append(t_2)
    t_stack_2.append(t)
    t_stack_3.append(t_4)
    t_stack_4.append(t_5)
    return t_8


def _simpson_backward(a, b, fa, fm, fb, whole, tolerance, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, t_stack_9, t_stack_10, t_stack_11):
    """The reverse sweep of `_simpson`."""
    t = t_stack.pop()
    t_1 = t_stack_1.pop()
    t_2 = t_stack_2.pop()
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    left = t_1 * t_2
    # first = h / 12 * (fa + 4 * left + fm)
    t_3 = fa + 4 * left + fm
    first = t * t_3
    t_4 = t_stack_3.pop()
    t_5 = t_stack_4.pop()
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    right = t_4 * t_5
    # second = h / 12 * (fm + 4 * right + fb)
    t_6 = fm + 4 * right + fb
    second = t * t_6
    error = first + second - whole
    m = 0.5 * (a + b)
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_7 = m + b
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_8 = 1.5 * t_7
    t_9 = -w
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_10 = a + m
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_11 = 1.5 * t_10
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_12 = 0.5 * t_7
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_13 = t_8 * w
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_14 = 0.5 * t_10
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_15 = t_11 * w
    # if abs(error) <= 15 * tolerance:
    if np.abs(error) <= 15 * tolerance:
        # return first + second + error / 15
        error_bar = y_bar * 0.06666666666666667
        # if abs(error) <= 15 * tolerance:
        second_bar = y_bar
        m_bar = 0.0
        b_bar = 0.0
        fm_bar = 0.0
        right_bar = 0.0
        fb_bar = 0.0
        w_bar = 0.0
        fa_bar = 0.0
        left_bar = 0.0
    else:
        t_16 = t_stack_5.pop()
        # return one + _simpson(f, m, b, fm, right, fb, second, tolerance / 2)
        m_bar, b_bar, fm_bar, right_bar, fb_bar, second_bar, w_bar = _simpson_backward_1(m, b, fm, right, fb, second, t_16, w, y_bar, t_stack_6, t_stack_7, t_stack_8, t_stack_9, t_stack_10, t_stack_11)
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_17, fa_bar, left_bar, t_18, y_bar, t_19 = _simpson_backward(a, m, fa, left, fm, first, t_16, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, t_stack_9, t_stack_10, t_stack_11)
        m_bar += t_17
        fm_bar += t_18
        w_bar += t_19
        # if abs(error) <= 15 * tolerance:
        error_bar = 0.0
    # error = first + second - whole
    whole_bar = -error_bar
    first_bar = y_bar + error_bar
    second_bar += error_bar
    # second = h / 12 * (fm + 4 * right + fb)
    t_20 = second_bar * t
    fb_bar += t_20
    fm_bar += t_20
    right_bar += t_20 * 4
    h_bar = second_bar * t_6 * 0.08333333333333333
    # first = h / 12 * (fa + 4 * left + fm)
    t = first_bar * t
    fm_bar += t
    fa_bar += t
    left_bar += t * 4
    h_bar += first_bar * t_3 * 0.08333333333333333
    # h = b - a
    b_bar += h_bar
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t = right_bar * t_4 * np.cos(t_13)
    w_bar += t * t_8
    t_21 = t * w * 3.0
    t = right_bar * t_5 * t_4
    w_bar -= t * t_12
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t = (t_21 + t * t_9) * 0.5
    m_bar += t
    b_bar += t
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t = left_bar * t_1 * np.cos(t_15)
    w_bar += t * t_11
    t_22 = t * w * 3.0
    t = left_bar * t_2 * t_1
    w_bar -= t * t_14
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    m_bar += (t_22 + t * t_9) * 0.5
    # m = 0.5 * (a + b)
    b_bar += m_bar * 0.5
    return b_bar, fa_bar, fm_bar, fb_bar, whole_bar, w_bar


def _simpson_forward_1(a, b, fa, fm, fb, whole, tolerance, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5):
    """`_simpson`, saving what its reverse sweep reads."""
    m = 0.5 * (a + b)
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t = a + m
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_1 = -w
    t_2 = np.exp(t_1 * (0.5 * t))
    t = np.sin(1.5 * t * w)
    left = t_2 * t
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_3 = m + b
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_4 = np.exp(t_1 * (0.5 * t_3))
    t_5 = np.sin(1.5 * t_3 * w)
    right = t_4 * t_5
    h = b - a
    # first = h / 12 * (fa + 4 * left + fm)
    t_6 = h / 12
    first = t_6 * (fa + 4 * left + fm)
    # second = h / 12 * (fm + 4 * right + fb)
    second = t_6 * (fm + 4 * right + fb)
    # error = first + second - whole
    t_7 = first + second
    error = t_7 - whole
    # if abs(error) <= 15 * tolerance:
    if np.abs(error) <= 15 * tolerance:
        # return first + second + error / 15
        t_8 = t_7 + error / 15
    else:
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_9 = tolerance / 2
        one = _simpson_forward_1(a, m, fa, left, fm, first, t_9, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5)
        # return one + _simpson(f, m, b, fm, right, fb, second, tolerance / 2)
        t_10 = _simpson_forward_1(m, b, fm, right, fb, second, t_9, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5)
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_stack_5.append(t_9)
        t_8 = one + t_10
    # first = h / 12 * (fa + 4 * left + fm)
    t_stack.append(t_6)
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_stack_1.append(t_2)
    t_stack_2.append(t)
    t_stack_3.append(t_4)
    t_stack_4.append(t_5)
    return t_8


def _simpson_backward_1(a, b, fa, fm, fb, whole, tolerance, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5):
    """The reverse sweep of `_simpson`."""
    t = t_stack.pop()
    t_1 = t_stack_1.pop()
    t_2 = t_stack_2.pop()
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    left = t_1 * t_2
    # first = h / 12 * (fa + 4 * left + fm)
    t_3 = fa + 4 * left + fm
    first = t * t_3
    t_4 = t_stack_3.pop()
    t_5 = t_stack_4.pop()
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    right = t_4 * t_5
    # second = h / 12 * (fm + 4 * right + fb)
    t_6 = fm + 4 * right + fb
    second = t * t_6
    error = first + second - whole
    m = 0.5 * (a + b)
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_7 = m + b
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_8 = 1.5 * t_7
    t_9 = -w
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_10 = a + m
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_11 = 1.5 * t_10
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_12 = 0.5 * t_7
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_13 = t_8 * w
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_14 = 0.5 * t_10
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_15 = t_11 * w
    # if abs(error) <= 15 * tolerance:
    if np.abs(error) <= 15 * tolerance:
        # return first + second + error / 15
        error_bar = y_bar * 0.06666666666666667
        # if abs(error) <= 15 * tolerance:
        second_bar = y_bar
        m_bar = 0.0
        b_bar = 0.0
        fm_bar = 0.0
        right_bar = 0.0
        fb_bar = 0.0
        w_bar = 0.0
        a_bar = 0.0
        fa_bar = 0.0
        left_bar = 0.0
    else:
        t_16 = t_stack_5.pop()
        # return one + _simpson(f, m, b, fm, right, fb, second, tolerance / 2)
        m_bar, b_bar, fm_bar, right_bar, fb_bar, second_bar, w_bar = _simpson_backward_1(m, b, fm, right, fb, second, t_16, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5)
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        a_bar, t_17, fa_bar, left_bar, t_18, y_bar, t_19 = _simpson_backward_1(a, m, fa, left, fm, first, t_16, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5)
        m_bar += t_17
        fm_bar += t_18
        w_bar += t_19
        # if abs(error) <= 15 * tolerance:
        error_bar = 0.0
    # error = first + second - whole
    whole_bar = -error_bar
    first_bar = y_bar + error_bar
    second_bar += error_bar
    # second = h / 12 * (fm + 4 * right + fb)
    t_20 = second_bar * t
    fb_bar += t_20
    fm_bar += t_20
    right_bar += t_20 * 4
    h_bar = second_bar * t_6 * 0.08333333333333333
    # first = h / 12 * (fa + 4 * left + fm)
    t = first_bar * t
    fm_bar += t
    fa_bar += t
    left_bar += t * 4
    h_bar += first_bar * t_3 * 0.08333333333333333
    # h = b - a
    b_bar += h_bar
    a_bar -= h_bar
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t = right_bar * t_4 * np.cos(t_13)
    w_bar += t * t_8
    t_21 = t * w * 3.0
    t = right_bar * t_5 * t_4
    w_bar -= t * t_12
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t = (t_21 + t * t_9) * 0.5
    m_bar += t
    b_bar += t
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t = left_bar * t_1 * np.cos(t_15)
    w_bar += t * t_11
    t_22 = t * w * 3.0
    t = left_bar * t_2 * t_1
    w_bar -= t * t_14
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t = (t_22 + t * t_9) * 0.5
    a_bar += t
    m_bar += t
    # m = 0.5 * (a + b)
    t = m_bar * 0.5
    a_bar += t
    b_bar += t
    return a_bar, b_bar, fa_bar, fm_bar, fb_bar, whole_bar, w_bar


def grad_adaptive_simpson(w, b):
    """grad_adaptive_simpson: generated by adcompile from `adaptive_simpson`."""
    t_stack = []
    t_stack_1 = []
    t_stack_2 = []
    t_stack_3 = []
    t_stack_4 = []
    t_stack_5 = []
    t_stack_6 = []
    t_stack_7 = []
    t_stack_8 = []
    t_stack_9 = []
    t_stack_10 = []
    t_stack_11 = []
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t = -w
    t_1 = np.exp(t * 0.0)
    t_2 = 0.0 * w
    t_3 = np.sin(t_2)
    fa = t_1 * t_3
    # fa, fm, fb = f(0.0), f(0.5 * b), f(b)
    t_4 = 0.5 * b
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_5 = np.exp(t * t_4)
    t_6 = 1.5 * b
    t_7 = t_6 * w
    t_8 = np.sin(t_7)
    fm = t_5 * t_8
    t_9 = np.exp(t * b)
    t_10 = 3.0 * b
    t_11 = t_10 * w
    t_12 = np.sin(t_11)
    fb = t_9 * t_12
    # whole = b / 6 * (fa + 4 * fm + fb)
    t_13 = b / 6
    t_14 = fa + 4 * fm + fb
    whole = t_13 * t_14
    # return _simpson(f, 0.0, b, fa, fm, fb, whole, 1e-3)
    _simpson_forward(0.0, b, fa, fm, fb, whole, 0.001, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, t_stack_9, t_stack_10, t_stack_11)
    b_bar, fa_bar, fm_bar, fb_bar, whole_bar, w_bar = _simpson_backward(0.0, b, fa, fm, fb, whole, 0.001, w, 1.0, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, t_stack_9, t_stack_10, t_stack_11)
    # whole = b / 6 * (fa + 4 * fm + fb)
    t_15 = whole_bar * t_13
    fb_bar += t_15
    fa_bar += t_15
    fm_bar += t_15 * 4
    b_bar += whole_bar * t_14 * 0.16666666666666666
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_16 = fb_bar * t_9 * np.cos(t_11)
    w_bar += t_16 * t_10
    b_bar += t_16 * w * 3.0
    t_17 = fb_bar * t_12 * t_9
    b_bar += t_17 * t
    w_bar -= t_17 * b
    t_18 = fm_bar * t_5 * np.cos(t_7)
    w_bar += t_18 * t_6
    t_19 = fm_bar * t_8 * t_5
    w_bar -= t_19 * t_4
    # fa, fm, fb = f(0.0), f(0.5 * b), f(b)
    b_bar += (t_18 * w * 3.0 + t_19 * t) * 0.5
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    w_bar += fa_bar * t_1 * np.cos(t_2) * 0.0
    w_bar -= fa_bar * t_3 * t_1 * 0.0
    return w_bar, b_bar
