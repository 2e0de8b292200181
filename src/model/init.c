/* SPDX-License-Identifier: MIT */
/* Initial values of parameters. Each tensor has a random stream of its own, so that its values follow from
 * the seed and its number alone. */
#include <math.h>
#include <stdlib.h>

#include "base/float_state.h"
#include "base/random.h"
#include "base/size.h"
#include "model/graph.h"

static void fill(float *data, size_t count, float value) {
    for (size_t i = 0; i < count; i++) {
        data[i] = value;
    }
}

static void scale(float *data, size_t count, double factor) {
    for (size_t i = 0; i < count; i++) {
        data[i] *= (float)factor;
    }
}

static double dot(const double *a, const double *b, size_t count) {
    enum { SUMS = 8 }; /* side by side in vectors */
    double sum[SUMS] = {0};
    size_t i = 0;
    for (; i + SUMS <= count; i += SUMS) {
        for (size_t j = 0; j < SUMS; j++) {
            sum[j] += a[i + j] * b[i + j];
        }
    }
    for (; i < count; i++) {
        sum[0] += a[i] * b[i];
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* Take from v what lies along each of the vectors before it. */
static void project_out(const double *vectors, size_t before, double *v, size_t length) {
    for (size_t i = 0; i < before; i++) {
        const double *u = vectors + i * length;
        double along = dot(u, v, length);
        for (size_t k = 0; k < length; k++) {
            v[k] -= along * u[k];
        }
    }
}

/* Gram and Schmidt's process on `count` vectors, each projected twice: once is not enough where little of a
 * vector is left. */
static void make_orthonormal(double *vectors, size_t count, size_t length) {
    for (size_t i = 0; i < count; i++) {
        double *v = vectors + i * length;
        project_out(vectors, i, v, length);
        project_out(vectors, i, v, length);
        double norm = sqrt(dot(v, v, length));
        for (size_t k = 0; k < length; k++) {
            v[k] /= norm;
        }
    }
}

/* On disk the tensor is a matrix (out, the rest): its rows become orthonormal, or its columns where there are
 * more rows than columns. */
static bool fill_orthogonal(const struct stoa_tensor *tensor, uint64_t seed, uint64_t stream, double gain,
                            float *data) {
    size_t rows = tensor->spec.shape[0];
    size_t columns = tensor->count / rows;
    size_t count = stoa_min(rows, columns);
    size_t length = stoa_max(rows, columns);
    float *disk = calloc(tensor->count, sizeof *disk);
    double *vectors = calloc(tensor->count, sizeof *vectors);
    if (disk && vectors) {
        stoa_random_normal(seed, stream, disk, tensor->count);
        for (size_t i = 0; i < tensor->count; i++) {
            vectors[i] = (double)disk[i];
        }
        make_orthonormal(vectors, count, length);
        for (size_t r = 0; r < rows; r++) {
            for (size_t c = 0; c < columns; c++) {
                size_t at = rows <= columns ? r * length + c : c * length + r;
                disk[r * columns + c] = (float)(gain * vectors[at]);
            }
        }
        stoa_tensor_from_disk(&tensor->spec, disk, data);
    }
    bool good = disk && vectors;
    free(disk);
    free(vectors);
    return good;
}

/* False when memory is short. */
static bool start_tensor(const struct stoa_tensor *tensor, uint64_t seed, uint64_t stream, float *data) {
    const struct stoa_tensor_spec *spec = &tensor->spec;
    double factor = spec->init_scale != 0 ? (double)spec->init_scale : 1;
    double in = (double)spec->fan_in;
    double both = in + (double)spec->fan_out;
    switch (spec->init) {
    case STOA_INIT_HE:
        stoa_random_normal(seed, stream, data, tensor->count);
        scale(data, tensor->count, factor * sqrt(2 / in));
        return true;
    case STOA_INIT_XAVIER:
        stoa_random_normal(seed, stream, data, tensor->count);
        scale(data, tensor->count, factor * sqrt(2 / both));
        return true;
    case STOA_INIT_NORMAL:
        stoa_random_normal(seed, stream, data, tensor->count);
        scale(data, tensor->count, factor);
        return true;
    /* The variance of a uniform number in [-limit, limit] is limit^2 / 3. */
    case STOA_INIT_HE_UNIFORM:
        stoa_random_uniform(seed, stream, data, tensor->count);
        scale(data, tensor->count, factor * sqrt(6 / in));
        return true;
    case STOA_INIT_XAVIER_UNIFORM:
        stoa_random_uniform(seed, stream, data, tensor->count);
        scale(data, tensor->count, factor * sqrt(6 / both));
        return true;
    case STOA_INIT_UNIFORM:
        stoa_random_uniform(seed, stream, data, tensor->count);
        scale(data, tensor->count, factor);
        return true;
    case STOA_INIT_ORTHOGONAL:
        return fill_orthogonal(tensor, seed, stream, factor, data);
    case STOA_INIT_CONSTANT:
        fill(data, tensor->count, spec->init_scale);
        return true;
    case STOA_INIT_ZERO:
        fill(data, tensor->count, 0);
        return true;
    case STOA_INIT_ONE:
        fill(data, tensor->count, 1);
        return true;
    }
    return true;
}

stoa_status stoa_model_init(stoa_model *model, uint64_t seed) {
    STOA_FLOAT_STATE();
    if (!model->built) {
        return stoa_fail(model->context, STOA_ERR_ARGUMENT, "model: not built");
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        if (!start_tensor(&model->tensors[i], seed, stoa_random_stream_id(STOA_RANDOM_INIT, i),
                          stoa_tensor_change(model, i))) {
            return stoa_fail(model->context, STOA_ERR_MEMORY, "tensor '%s': no memory for its initial values",
                             model->tensors[i].name);
        }
    }
    return STOA_OK;
}
