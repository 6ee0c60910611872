"""Derivatives that do not exist, or are asked for wrongly."""

import numpy as np

import adcompile as ad
from tests.programs.hostile.register import hostile


@hostile("i8")
def of_an_integer(n):
    return 2.0 * n


@hostile("b1")
def of_a_truth_value(flag):
    return 2.0 if flag else 1.0


@hostile("i8[:]")
def of_integers(n):
    return np.sum(n * 2.0)


@hostile("b1[:]")
def of_truth_values(flags):
    return np.sum(flags * 2.0)


@hostile("(i8, i8)")
def of_a_tuple_of_integers(pair):
    return pair[0] * 2.0


@hostile()
def gives_an_integer(x):
    return int(x)


@hostile("f8[:]")
def gives_a_count(x):
    return np.argmax(x)


@hostile()
def gives_a_truth_value(x):
    return x > 0


@hostile("f8[:]")
def gives_an_array(x):
    y = np.sin(x)
    return y


@hostile("f8[:, :]")
def gives_a_matrix(x):
    return x @ x


@hostile("f8[:]")
def gives_one_element_as_array(x):
    return np.sum(x, keepdims=True)


@hostile()
def gives_a_tuple(x):
    return x, x * 2


@hostile()
def gives_a_list(x):
    return [x]


@hostile("f8, f8", wrt="z")
def unknown_wrt(x, y):
    return x * y


@hostile("f8", wrt="t")
def ambiguous_wrt(x):
    t = x * 2
    t = t + x
    return t * t


@hostile("f8[:]", wrt="s")
def wrt_of_a_loop_variable(x):
    total = 0.0
    for v in x:
        s = v * v
        total += s
    return total


@hostile("f8", wrt="pair")
def wrt_of_a_tuple(x):
    pair = (x, x * 2)
    return pair[0] * pair[1]


@hostile("f8[:]", wrt="y")
def wrt_of_what_is_written(x):
    y = x * 2
    y[0] = 1.0
    return np.sum(y)


@hostile("f8", wrt="n")
def wrt_of_an_integer(x):
    n = int(x)
    return x * n


@hostile("f8", wrt=())
def wrt_of_nothing(x):
    return x


@hostile("f8", wrt=3)
def wrt_of_a_number(x):
    return x


@hostile("f8, f8", wrt=("x", "x"))
def wrt_twice(x, y):
    return x * y


@hostile("f8, f8", argnums=2)
def argnums_too_large(x, y):
    return x * y


@hostile("f8, f8", argnums=-3)
def argnums_too_small(x, y):
    return x * y


@hostile("f8, f8", argnums=(0, 0))
def argnums_twice(x, y):
    return x * y


@hostile("f8, f8", argnums=(0, -2))
def argnums_twice_from_both_ends(x, y):
    return x * y


@hostile("f8, f8", argnums=True)
def argnums_of_a_truth_value(x, y):
    return x * y


@hostile("f8, f8", argnums=0.0)
def argnums_of_a_float(x, y):
    return x * y


@hostile("f8, f8", argnums="x")
def argnums_of_a_name(x, y):
    return x * y


@hostile("f8, f8", argnums=None)
def argnums_of_none(x, y):
    return x * y


@hostile("f8, f8", argnums=())
def argnums_of_nothing(x, y):
    return x * y


@hostile("f8, f8", argnums=(0, "y"))
def argnums_mixed(x, y):
    return x * y


@hostile("f8, f8", argnums=1, wrt="x")
def argnums_and_wrt(x, y):
    return x * y


@hostile("f8", target="tpu")
def unknown_target(x):
    return x


@hostile("f8", fast=True)
def unknown_option(x):
    return x


@hostile("f8", fastmath="yes")
def fastmath_of_text(x):
    return x


@hostile("f8[:]", inplace="y")
def inplace_of_an_unknown(x):
    return np.sum(x)


@hostile("f8, f8", has_aux=True)
def aux_of_a_number(x, y):
    return x * y


@hostile("f8", has_aux=True)
def aux_of_three(x):
    return x, x, x


@hostile("f8[:]", has_aux=True)
def aux_after_an_array(x):
    return x, np.sum(x)


@hostile("f8[:]", by=lambda f: ad.grad(ad.grad(f)))
def gradient_of_a_gradient_that_is_an_array(x):
    return np.sum(x * x)


@hostile("f8[:]", by=ad.hessian)
def hessian_of_an_array(x):
    return x * x


@hostile("i8", by=ad.jacfwd)
def jacfwd_of_an_integer(n):
    return n * 2.0


@hostile("f8", by=ad.jacfwd)
def jacfwd_of_a_truth_value(x):
    return x > 0


@hostile("f8", by=ad.jacrev)
def jacrev_of_an_integer_result(x):
    return int(x)


@hostile("f8", by=ad.jacfwd, argnums=1)
def jacfwd_out_of_range(x):
    return x


@hostile("f8", by=ad.jacfwd, argnums=True)
def jacfwd_of_a_flag(x):
    return x


@hostile("f8", by=ad.jacrev, argnums=(0, 0))
def jacrev_twice(x):
    return x


@hostile("f8", by=ad.hessian, argnums=(0, 0))
def hessian_twice(x):
    return x * x


@hostile("i8, i8", by=ad.hvp)
def hvp_of_an_integer(n):
    return n * 2.0


@hostile("f8[3], f8[4]", by=ad.hvp)
def hvp_with_another_length(x):
    return np.sum(x**3)


@hostile("f8[:], f8", by=ad.hvp)
def hvp_with_a_number(x):
    return np.sum(x**3)


@hostile("f8[:], f4[:]", by=ad.hvp)
def hvp_in_another_dtype(x):
    return np.sum(x**3)


@hostile("f8[:], (f8[:], f8[:])", by=ad.hvp)
def hvp_with_two(x):
    return np.sum(x**3)


@hostile("f8, f8", by=ad.hvp, argnums=(0,))
def hvp_of_a_tuple_of_positions(x):
    return x**3


@hostile("f8, f8", by=ad.hvp, argnums=4)
def hvp_out_of_range(x):
    return x**3


@hostile("(f8), (f8, f8)", by=ad.jvp)
def jvp_with_two_tangents(x):
    return x * x


@hostile("(f8[:]), (f8)", by=ad.jvp)
def jvp_with_a_number_as_tangent(x):
    return np.sum(x * x)


@hostile("(f8[:]), (f4[:])", by=ad.jvp)
def jvp_in_another_dtype(x):
    return np.sum(x * x)


@hostile("(f8[3]), (f8[2])", by=ad.jvp)
def jvp_with_another_length(x):
    return np.sum(x * x)


@hostile("(f8, f8), (f8, f8)", by=ad.jvp)
def jvp_with_two_primals(x):
    return x * x


@hostile("f8, f8", by=ad.jvp)
def jvp_without_tuples(x):
    return x * x


@hostile("f8[3]", by=lambda f: ad.vmap(f, in_axes=1))
def vmap_of_a_missing_axis(x):
    return np.sum(x)


@hostile("f8", by=ad.vmap)
def vmap_of_a_number(x):
    return x


@hostile("f8[:]", by=lambda f: ad.vmap(f, in_axes=(0, 0)))
def vmap_with_too_many_axes(x):
    return x


@hostile("f8[:]", by=lambda f: ad.vmap(f, in_axes=0.5))
def vmap_of_a_float_axis(x):
    return x


@hostile("f8[:]", by=lambda f: ad.vmap(f, in_axes="0"))
def vmap_of_a_text_axis(x):
    return x


@hostile("f8[:]", by=lambda f: ad.vmap(f, in_axes=None))
def vmap_of_no_axis(x):
    return np.sum(x)


@hostile("f8[:]", by=lambda f: ad.vmap(f, out_axes=3))
def vmap_into_a_missing_axis(x):
    return x * 2


@hostile("f8[:]", by=lambda f: ad.vmap(f, out_axes=None))
def vmap_into_no_axis(x):
    return x * 2


@hostile("f8[:]", by=lambda f: ad.grad(ad.vmap(f)))
def gradient_of_vmap(x):
    return x * x


@ad.custom_vjp
def no_rule_yet(x):
    return x * x


@hostile()
def custom_vjp_without_rule(x):
    return no_rule_yet(x)


@ad.custom_jvp
def no_forward_yet(x):
    return x * x


@hostile()
def custom_jvp_without_rule(x):
    return no_forward_yet(x)


@ad.custom_vjp
def one_result(x):
    return x * x


one_result.defvjp(lambda x: x * x, lambda r, g: (g,))


@hostile()
def custom_vjp_without_residuals(x):
    return one_result(x)


@ad.custom_vjp
def too_many_cotangents(x):
    return x * x


too_many_cotangents.defvjp(lambda x: (x * x, x), lambda r, g: (g * r, g))


@hostile()
def custom_vjp_with_too_many_cotangents(x):
    return too_many_cotangents(x)


@ad.custom_vjp
def bare_cotangent(x, y):
    return x * y


bare_cotangent.defvjp(lambda x, y: (x * y, x), lambda r, g: g * r)


@hostile("f8, f8")
def custom_vjp_with_a_bare_cotangent(x, y):
    return bare_cotangent(x, y)


@ad.custom_vjp
def array_cotangent(x):
    return x * x


array_cotangent.defvjp(lambda x: (x * x, x), lambda r, g: (np.ones(3) * g,))


@hostile()
def custom_vjp_with_a_cotangent_of_another_shape(x):
    return array_cotangent(x)


@ad.custom_vjp
def other_primal(x):
    return x * x


other_primal.defvjp(lambda x: (np.ones(2) * x, x), lambda r, g: (g,))


@hostile()
def custom_vjp_with_another_result(x):
    return other_primal(x)


@ad.custom_vjp
def rule_of_three(x):
    return x * x


rule_of_three.defvjp(lambda x: (x * x, x), lambda r, s, g: (g * r,))


@hostile()
def custom_vjp_with_three_parameters(x):
    return rule_of_three(x)


@ad.custom_jvp
def one_of_two(x):
    return x * x


@one_of_two.defjvp
def _one_of_two(primals, tangents):
    return primals[0] * tangents[0]


@hostile()
def custom_jvp_with_one_result(x):
    return one_of_two(x)


@ad.custom_jvp
def wrong_tangent(x):
    return x * x


@wrong_tangent.defjvp
def _wrong_tangent(primals, tangents):
    return primals[0] ** 2, np.ones(2) * tangents[0]


@hostile()
def custom_jvp_with_another_tangent(x):
    return wrong_tangent(x)


@hostile("f8", by=ad.jvp)
def jvp_of_a_number(x):
    return x


@ad.custom_vjp
def reverse_only(x):
    return x * x


reverse_only.defvjp(lambda x: (x * x, x), lambda r, g: (2 * g * r,))


@hostile("f8", by=ad.jacfwd)
def custom_vjp_in_forward_mode(x):
    return reverse_only(x)


@ad.custom_vjp
def counts(x):
    return int(x)


@hostile()
def custom_vjp_of_an_integer(x):
    return x * counts(x)


@hostile()
def checkpoint_of_nothing(x):
    return ad.checkpoint(x)


@hostile()
def checkpoint_without_arguments(x):
    f = ad.checkpoint()
    return f(x)


@hostile()
def checkpoint_of_what_draws(x):
    return ad.checkpoint(lambda y: y * np.random.rand())(x)


@hostile("f8[:]", by=ad.jacrev)
def jacobian_of_what_draws(x):
    return x * np.random.rand()


@hostile("f8[:]")
def grad_inside_of_an_array(x):
    return np.sum(ad.grad(lambda v: v * v)(x))


@hostile()
def grad_inside_without_function(x):
    return ad.grad(x)(x)


@hostile()
def stop_gradient_of_text(x):
    return ad.stop_gradient("x") * x


@hostile()
def check_grads_inside(x):
    ad.check_grads(lambda y: y, (x,))
    return x
