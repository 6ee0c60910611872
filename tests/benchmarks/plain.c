/* Four functions of the benchmark as a C programmer writes them: the value, without a derivative.
   Matrices are row by row; the arguments are those of the Python functions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double log_sum_exp(const double *x, long n)
{
    double largest = x[0], total = 0.0;
    for (long i = 1; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    for (long i = 0; i < n; i++)
        total += exp(x[i] - largest);
    return largest + log(total);
}

double logsumexp(const double *x, long n)
{
    return log_sum_exp(x, n);
}

double gmm(const double *alpha, const double *mu, const double *q, const double *l, const double *x,
           double gamma, long m, double wishart, long n, long k, long d)
{
    const long below = d * (d - 1) / 2;
    double *scale = malloc(k * d * sizeof *scale), *logdet = calloc(k, sizeof *logdet);
    double *off = malloc(d * sizeof *off), *product = malloc(d * sizeof *product);
    double *terms = malloc(k * sizeof *terms);
    double value = 0.0, squares = 0.0, logdets = 0.0;
    for (long c = 0; c < k; c++)
        for (long j = 0; j < d; j++) {
            scale[c * d + j] = exp(q[c * d + j]);
            logdet[c] += q[c * d + j];
        }
    for (long i = 0; i < n; i++) {
        for (long c = 0; c < k; c++) {
            const double *low = l + c * below;
            for (long j = 0; j < d; j++) {
                off[j] = x[i * d + j] - mu[c * d + j];
                product[j] = scale[c * d + j] * off[j];
            }
            for (long column = 0; column < d; column++)
                for (long row = column + 1; row < d; row++)
                    product[row] += *low++ * off[column];
            double length = 0.0;
            for (long j = 0; j < d; j++)
                length += product[j] * product[j];
            terms[c] = alpha[c] - 0.5 * length + logdet[c];
        }
        value += log_sum_exp(terms, k);
    }
    value -= n * (0.5 * d * log(2.0 * M_PI) + log_sum_exp(alpha, k));
    for (long c = 0; c < k; c++) {
        for (long j = 0; j < d; j++)
            squares += scale[c * d + j] * scale[c * d + j];
        for (long j = 0; j < below; j++)
            squares += l[c * below + j] * l[c * below + j];
        logdets += logdet[c];
    }
    free(scale), free(logdet), free(off), free(product), free(terms);
    return value + wishart - 0.5 * gamma * gamma * squares + m * logdets;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

double lstm(const double *weights, const double *extra, const double *state, const double *sequence,
            long layers, long c, long b)
{
    double *s = malloc(2 * layers * b * sizeof *s), *h = malloc(b * sizeof *h);
    double total = 0.0;
    memcpy(s, state, 2 * layers * b * sizeof *s);
    for (long t = 0; t + 1 < c; t++) {
        const double *now = sequence + t * b, *next = now + b;
        for (long j = 0; j < b; j++)
            h[j] = now[j] * extra[j];
        for (long i = 0; i < layers; i++) {
            const double *w = weights + 8 * i * b, *bias = w + 4 * b;
            double *hidden = s + 2 * i * b, *cell = hidden + b;
            for (long j = 0; j < b; j++) {
                double forget = sigmoid(h[j] * w[j] + bias[j]);
                double enter = sigmoid(hidden[j] * w[b + j] + bias[b + j]);
                double out = sigmoid(h[j] * w[2 * b + j] + bias[2 * b + j]);
                double change = tanh(hidden[j] * w[3 * b + j] + bias[3 * b + j]);
                cell[j] = cell[j] * forget + enter * change;
                h[j] = hidden[j] = out * tanh(cell[j]);
            }
        }
        double norm = 2.0;
        for (long j = 0; j < b; j++)
            norm += exp(h[j] * extra[b + j] + extra[2 * b + j]);
        norm = log(norm);
        for (long j = 0; j < b; j++)
            total += next[j] * (h[j] * extra[b + j] + extra[2 * b + j] - norm);
    }
    free(s), free(h);
    return -total / ((c - 1) * b);
}

double least_squares(const double *x, long n, long m)
{
    double value = 0.0;
    for (long i = 0; i < n; i++) {
        double t = -1.0 + i * (2.0 / (n - 1)), power = 1.0;
        double rest = t > 0.0 ? 1.0 : t < 0.0 ? -1.0 : 0.0;
        for (long j = 0; j < m; j++) {
            rest -= x[j] * power;
            power *= t;
        }
        value += rest * rest;
    }
    return 0.5 * value;
}
