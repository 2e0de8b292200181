/* SPDX-License-Identifier: MIT */
/* How a program that uses OpenBLAS itself lives beside the library: eight threads call convolutions at once
 * while the main thread multiplies with cblas_sgemm. All results are right, and the program's number of BLAS
 * threads is what it was. */
#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 30, BATCH = 3, SIZE = 12, CHANNELS = 16, FILTERS = 24, KERNEL = 3 };
enum { X = BATCH * SIZE * SIZE * CHANNELS, WEIGHTS = KERNEL * KERNEL * CHANNELS * FILTERS };
enum { Y = BATCH * SIZE * SIZE * FILTERS, MATRIX = 192 };

static float x[X], weight[WEIGHTS], expected[Y];
static float a[MATRIX * MATRIX], b[MATRIX * MATRIX], c[MATRIX * MATRIX];

struct caller {
    size_t threads;
    bool right;
};

static stoa_status convolve(stoa_context *context, float *y) {
    const stoa_conv2d conv = {.batch = BATCH,
                              .height = SIZE,
                              .width = SIZE,
                              .channels = CHANNELS,
                              .filters = FILTERS,
                              .kernel_height = KERNEL,
                              .kernel_width = KERNEL,
                              .pad_top = 1,
                              .pad_bottom = 1,
                              .pad_left = 1,
                              .pad_right = 1};
    size_t bytes;
    stoa_status status = stoa_conv2d_workspace(context, &conv, STOA_CONV2D_FORWARD, &bytes);
    if (status != STOA_OK) {
        return status;
    }
    void *workspace = aligned_alloc(64, (bytes + 64) / 64 * 64);
    status = workspace ? stoa_conv2d_forward(context, &conv, x, weight, NULL, NULL, y, workspace, bytes)
                       : STOA_ERR_MEMORY;
    free(workspace);
    return status;
}

/* The definition. */
static void convolve_plainly(float *y) {
    for (int i = 0; i < Y; i++) {
        int k = i % FILTERS, ow = i / FILTERS % SIZE, oh = i / FILTERS / SIZE % SIZE,
            n = i / FILTERS / SIZE / SIZE;
        double sum = 0;
        for (int tap = 0; tap < KERNEL * KERNEL * CHANNELS; tap++) {
            int channel = tap % CHANNELS, iw = ow + tap / CHANNELS % KERNEL - 1,
                ih = oh + tap / CHANNELS / KERNEL - 1;
            if (ih >= 0 && ih < SIZE && iw >= 0 && iw < SIZE) {
                sum += (double)x[((n * SIZE + ih) * SIZE + iw) * CHANNELS + channel] *
                       (double)weight[tap * FILTERS + k];
            }
        }
        y[i] = (float)sum;
    }
}

static bool close_to(const float *got, const float *want, int count) {
    for (int i = 0; i < count; i++) {
        if (!(fabsf(got[i] - want[i]) < 1e-3F)) {
            return false;
        }
    }
    return true;
}

static void *call(void *argument) {
    struct caller *caller = argument;
    const stoa_context_options options = {.threads = caller->threads};
    stoa_context *context;
    float *y = malloc(Y * sizeof *y);
    if (!y || stoa_context_create(&options, &context) != STOA_OK) {
        free(y);
        return NULL;
    }
    caller->right = true;
    for (int round = 0; round < ROUNDS; round++) {
        memset(y, 0xFF, Y * sizeof *y); /* NaN */
        caller->right = convolve(context, y) == STOA_OK && close_to(y, expected, Y) && caller->right;
    }
    stoa_context_free(context);
    free(y);
    return NULL;
}

/* The program's own product: a has its row number everywhere, b is one. */
static bool multiply(void) {
    for (int i = 0; i < MATRIX * MATRIX; i++) {
        a[i] = (float)(i / MATRIX) / MATRIX;
        b[i] = 1;
        c[i] = NAN;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, MATRIX, MATRIX, MATRIX, 1, a, MATRIX, b, MATRIX, 0,
                c, MATRIX);
    for (int i = 0; i < MATRIX * MATRIX; i++) {
        if (!(fabsf(c[i] - (float)(i / MATRIX)) < 1e-2F)) {
            return false;
        }
    }
    return true;
}

static int blas_threads(void) {
#ifdef OPENBLAS_VERSION
    return openblas_get_num_threads();
#else
    return 0; /* another BLAS */
#endif
}

int main(void) {
    for (int i = 0; i < X; i++) {
        x[i] = (float)(i % 11) / 5.0F - 1;
    }
    for (int i = 0; i < WEIGHTS; i++) {
        weight[i] = (float)(i % 7) / 7.0F;
    }
    convolve_plainly(expected);
#ifdef OPENBLAS_VERSION
    openblas_set_num_threads(2);
#endif
    int before = blas_threads();
    pthread_t threads[THREADS];
    struct caller callers[THREADS];
    size_t started = 0;
    while (started < THREADS) {
        callers[started] = (struct caller){.threads = 1 + started % 3};
        if (pthread_create(&threads[started], NULL, call, &callers[started]) != 0) {
            break;
        }
        started++;
    }
    bool own = true, theirs = started == THREADS;
    for (int round = 0; round < ROUNDS; round++) {
        own = multiply() && own;
    }
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
        theirs = theirs && callers[i].right;
    }
    own = multiply() && own;
    printf("convolutions %s, own products %s, BLAS threads %d before and %d after\n",
           theirs ? "right" : "wrong", own ? "right" : "wrong", before, blas_threads());
    return own && theirs && blas_threads() == before ? 0 : 1;
}
