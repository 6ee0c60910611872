import numpy as np


def _simpson_forward(a, b, fa, fm, fb, whole, tolerance, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10, t_stack_11, t_stack_12, t_stack_13, t_stack_14, t_stack_15, t_stack_16, t_stack_17, t_stack_18, t_stack_19, right_stack_1, second_stack_1, t_stack_20, left_stack_1, first_stack_1, t_stack_21):
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
    t_7 = fa + 4 * left + fm
    first = t_6 * t_7
    # second = h / 12 * (fm + 4 * right + fb)
    t_8 = fm + 4 * right + fb
    second = t_6 * t_8
    # error = first + second - whole
    t_9 = first + second
    error = t_9 - whole
    # if abs(error) <= 15 * tolerance:
    t_10 = np.abs(error) <= 15 * tolerance
    if t_10:
        # return first + second + error / 15
        t_11 = t_9 + error / 15
    else:
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_12 = tolerance / 2
        one = _simpson_forward(a, m, fa, left, fm, first, t_12, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10, t_stack_11, t_stack_12, t_stack_13, t_stack_14, t_stack_15, t_stack_16, t_stack_17, t_stack_18, t_stack_19, right_stack_1, second_stack_1, t_stack_20, left_stack_1, first_stack_1, t_stack_21)
        # return one + _simpson(f, m, b, fm, right, fb, second, tolerance / 2)
        t_13 = _simpson_forward_1(m, b, fm, right, fb, second, t_12, w, t_stack_11, t_stack_12, t_stack_13, t_stack_14, t_stack_15, t_stack_16, t_stack_17, t_stack_18, t_stack_19, right_stack_1, second_stack_1, t_stack_20, left_stack_1, first_stack_1, t_stack_21)
        t_stack_9.append(t_12)
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_stack_10.append(t_12)
        t_11 = one + t_13
    t_stack.append(t_10)
    # second = h / 12 * (fm + 4 * right + fb)
    t_stack_1.append(t_8)
    t_stack_2.append(t_6)
    # first = h / 12 * (fa + 4 * left + fm)
    t_stack_3.append(t_7)
    t_stack_4.append(t_6)
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_stack_5.append(t_5)
    t_stack_6.append(t_4)
    t_stack_7.append(t)
    t_stack_8.append(t_2)
    right_stack.append(right)
    # second = h / 12 * (fm + 4 * right + fb)
    second_stack.append(second)
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    left_stack.append(left)
    # first = h / 12 * (fa + 4 * left + fm)
    first_stack.append(first)
    return t_11


def _simpson_backward(a, b, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10, t_stack_11, t_stack_12, t_stack_13, t_stack_14, t_stack_15, t_stack_16, t_stack_17, t_stack_18, t_stack_19, right_stack_1, second_stack_1, t_stack_20, left_stack_1, first_stack_1, t_stack_21):
    """The reverse sweep of `_simpson`."""
    t = t_stack.pop()
    t_1 = t_stack_1.pop()
    t_2 = t_stack_2.pop()
    t_3 = t_stack_3.pop()
    t_4 = t_stack_4.pop()
    t_5 = t_stack_5.pop()
    t_6 = t_stack_6.pop()
    m = 0.5 * (a + b)
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_7 = m + b
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_8 = 1.5 * t_7
    t_9 = -w
    t_10 = t_stack_7.pop()
    t_11 = t_stack_8.pop()
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_12 = a + m
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_13 = 1.5 * t_12
    right = right_stack.pop()
    second = second_stack.pop()
    left = left_stack.pop()
    first = first_stack.pop()
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_14 = 0.5 * t_7
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_15 = t_8 * w
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_16 = 0.5 * t_12
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_17 = t_13 * w
    # if abs(error) <= 15 * tolerance:
    if t:
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
        t_18 = t_stack_9.pop()
        t_19 = t_stack_10.pop()
        # return one + _simpson(f, m, b, fm, right, fb, second, tolerance / 2)
        m_bar, b_bar, fm_bar, right_bar, fb_bar, second_bar, w_bar = _simpson_backward_1(m, b, w, y_bar, t_stack_11, t_stack_12, t_stack_13, t_stack_14, t_stack_15, t_stack_16, t_stack_17, t_stack_18, t_stack_19, right_stack_1, second_stack_1, t_stack_20, left_stack_1, first_stack_1, t_stack_21)
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_20, fa_bar, left_bar, t_21, y_bar, t_22 = _simpson_backward(a, m, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10, t_stack_11, t_stack_12, t_stack_13, t_stack_14, t_stack_15, t_stack_16, t_stack_17, t_stack_18, t_stack_19, right_stack_1, second_stack_1, t_stack_20, left_stack_1, first_stack_1, t_stack_21)
        m_bar += t_20
        fm_bar += t_21
        w_bar += t_22
        # if abs(error) <= 15 * tolerance:
        error_bar = 0.0
    # error = first + second - whole
    whole_bar = -error_bar
    first_bar = y_bar + error_bar
    second_bar += error_bar
    # second = h / 12 * (fm + 4 * right + fb)
    t_23 = second_bar * t_2
    fb_bar += t_23
    fm_bar += t_23
    right_bar += t_23 * 4
    h_bar = (second_bar * t_1 if second_bar != 0 else second_bar) * 0.08333333333333333
    # first = h / 12 * (fa + 4 * left + fm)
    t_24 = first_bar * t_4
    fm_bar += t_24
    fa_bar += t_24
    left_bar += t_24 * 4
    h_bar += (first_bar * t_3 if first_bar != 0 else first_bar) * 0.08333333333333333
    # h = b - a
    b_bar += h_bar
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_25 = (right_bar * t_6 if right_bar != 0 else right_bar) * np.cos(t_15)
    w_bar += t_25 * t_8
    t_26 = right_bar * t_5
    t_27 = t_26 * t_6 if t_26 != 0 else t_26
    w_bar -= t_27 * t_14
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_28 = (t_25 * w * 3.0 + t_27 * t_9) * 0.5
    m_bar += t_28
    b_bar += t_28
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_29 = (left_bar * t_11 if left_bar != 0 else left_bar) * np.cos(t_17)
    w_bar += t_29 * t_13
    t_30 = left_bar * t_10
    t_31 = t_30 * t_11 if t_30 != 0 else t_30
    w_bar -= t_31 * t_16
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    m_bar += (t_29 * w * 3.0 + t_31 * t_9) * 0.5
    # m = 0.5 * (a + b)
    b_bar += m_bar * 0.5
    return b_bar, fa_bar, fm_bar, fb_bar, whole_bar, w_bar


def _simpson_forward_1(a, b, fa, fm, fb, whole, tolerance, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10):
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
    t_7 = fa + 4 * left + fm
    first = t_6 * t_7
    # second = h / 12 * (fm + 4 * right + fb)
    t_8 = fm + 4 * right + fb
    second = t_6 * t_8
    # error = first + second - whole
    t_9 = first + second
    error = t_9 - whole
    # if abs(error) <= 15 * tolerance:
    t_10 = np.abs(error) <= 15 * tolerance
    if t_10:
        # return first + second + error / 15
        t_11 = t_9 + error / 15
    else:
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_12 = tolerance / 2
        one = _simpson_forward_1(a, m, fa, left, fm, first, t_12, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10)
        # return one + _simpson(f, m, b, fm, right, fb, second, tolerance / 2)
        t_13 = _simpson_forward_1(m, b, fm, right, fb, second, t_12, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10)
        t_stack_9.append(t_12)
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        t_stack_10.append(t_12)
        t_11 = one + t_13
    t_stack.append(t_10)
    # second = h / 12 * (fm + 4 * right + fb)
    t_stack_1.append(t_8)
    t_stack_2.append(t_6)
    # first = h / 12 * (fa + 4 * left + fm)
    t_stack_3.append(t_7)
    t_stack_4.append(t_6)
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_stack_5.append(t_5)
    t_stack_6.append(t_4)
    t_stack_7.append(t)
    t_stack_8.append(t_2)
    right_stack.append(right)
    # second = h / 12 * (fm + 4 * right + fb)
    second_stack.append(second)
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    left_stack.append(left)
    # first = h / 12 * (fa + 4 * left + fm)
    first_stack.append(first)
    return t_11


def _simpson_backward_1(a, b, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10):
    """The reverse sweep of `_simpson`."""
    t = t_stack.pop()
    t_1 = t_stack_1.pop()
    t_2 = t_stack_2.pop()
    t_3 = t_stack_3.pop()
    t_4 = t_stack_4.pop()
    t_5 = t_stack_5.pop()
    t_6 = t_stack_6.pop()
    m = 0.5 * (a + b)
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_7 = m + b
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_8 = 1.5 * t_7
    t_9 = -w
    t_10 = t_stack_7.pop()
    t_11 = t_stack_8.pop()
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_12 = a + m
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_13 = 1.5 * t_12
    right = right_stack.pop()
    second = second_stack.pop()
    left = left_stack.pop()
    first = first_stack.pop()
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_14 = 0.5 * t_7
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_15 = t_8 * w
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_16 = 0.5 * t_12
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_17 = t_13 * w
    # if abs(error) <= 15 * tolerance:
    if t:
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
        t_18 = t_stack_9.pop()
        t_19 = t_stack_10.pop()
        # return one + _simpson(f, m, b, fm, right, fb, second, tolerance / 2)
        m_bar, b_bar, fm_bar, right_bar, fb_bar, second_bar, w_bar = _simpson_backward_1(m, b, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10)
        # one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
        a_bar, t_20, fa_bar, left_bar, t_21, y_bar, t_22 = _simpson_backward_1(a, m, w, y_bar, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10)
        m_bar += t_20
        fm_bar += t_21
        w_bar += t_22
        # if abs(error) <= 15 * tolerance:
        error_bar = 0.0
    # error = first + second - whole
    whole_bar = -error_bar
    first_bar = y_bar + error_bar
    second_bar += error_bar
    # second = h / 12 * (fm + 4 * right + fb)
    t_23 = second_bar * t_2
    fb_bar += t_23
    fm_bar += t_23
    right_bar += t_23 * 4
    h_bar = (second_bar * t_1 if second_bar != 0 else second_bar) * 0.08333333333333333
    # first = h / 12 * (fa + 4 * left + fm)
    t_24 = first_bar * t_4
    fm_bar += t_24
    fa_bar += t_24
    left_bar += t_24 * 4
    h_bar += (first_bar * t_3 if first_bar != 0 else first_bar) * 0.08333333333333333
    # h = b - a
    b_bar += h_bar
    a_bar -= h_bar
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_25 = (right_bar * t_6 if right_bar != 0 else right_bar) * np.cos(t_15)
    w_bar += t_25 * t_8
    t_26 = right_bar * t_5
    t_27 = t_26 * t_6 if t_26 != 0 else t_26
    w_bar -= t_27 * t_14
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_28 = (t_25 * w * 3.0 + t_27 * t_9) * 0.5
    m_bar += t_28
    b_bar += t_28
    # f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    t_29 = (left_bar * t_11 if left_bar != 0 else left_bar) * np.cos(t_17)
    w_bar += t_29 * t_13
    t_30 = left_bar * t_10
    t_31 = t_30 * t_11 if t_30 != 0 else t_30
    w_bar -= t_31 * t_16
    # left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    t_32 = (t_29 * w * 3.0 + t_31 * t_9) * 0.5
    a_bar += t_32
    m_bar += t_32
    # m = 0.5 * (a + b)
    t_33 = m_bar * 0.5
    a_bar += t_33
    b_bar += t_33
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
    right_stack = []
    second_stack = []
    t_stack_9 = []
    left_stack = []
    first_stack = []
    t_stack_10 = []
    t_stack_11 = []
    t_stack_12 = []
    t_stack_13 = []
    t_stack_14 = []
    t_stack_15 = []
    t_stack_16 = []
    t_stack_17 = []
    t_stack_18 = []
    t_stack_19 = []
    right_stack_1 = []
    second_stack_1 = []
    t_stack_20 = []
    left_stack_1 = []
    first_stack_1 = []
    t_stack_21 = []
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
    _simpson_forward(0.0, b, fa, fm, fb, whole, 0.001, w, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10, t_stack_11, t_stack_12, t_stack_13, t_stack_14, t_stack_15, t_stack_16, t_stack_17, t_stack_18, t_stack_19, right_stack_1, second_stack_1, t_stack_20, left_stack_1, first_stack_1, t_stack_21)
    b_bar, fa_bar, fm_bar, fb_bar, whole_bar, w_bar = _simpson_backward(0.0, b, w, 1.0, t_stack, t_stack_1, t_stack_2, t_stack_3, t_stack_4, t_stack_5, t_stack_6, t_stack_7, t_stack_8, right_stack, second_stack, t_stack_9, left_stack, first_stack, t_stack_10, t_stack_11, t_stack_12, t_stack_13, t_stack_14, t_stack_15, t_stack_16, t_stack_17, t_stack_18, t_stack_19, right_stack_1, second_stack_1, t_stack_20, left_stack_1, first_stack_1, t_stack_21)
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
