/* SPDX-License-Identifier: MIT */
/* Tensor messages to numbers. The bytes that are there are compared with the shape before memory is asked
 * for, so that a shape alone costs nothing. */
#include "onnx/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/number.h"
#include "base/size.h"

#define NAME "%.80s"

enum { EXTERNAL = 1 };

/* What a type is called, the bytes of a number in raw data, and how it lies here. */
static const struct type_row {
    const char *name;
    size_t bytes;
    int32_t type;
    char kind; /* f: float, d: double, i: integer */
} types[] = {
    {"float", 4, STOA_ONNX_FLOAT, 'f'},       {"uint8", 1, STOA_ONNX_UINT8, 'i'},
    {"int8", 1, STOA_ONNX_INT8, 'i'},         {"uint16", 2, STOA_ONNX_UINT16, 'i'},
    {"int16", 2, STOA_ONNX_INT16, 'i'},       {"int32", 4, STOA_ONNX_INT32, 'i'},
    {"int64", 8, STOA_ONNX_INT64, 'i'},       {"bool", 1, STOA_ONNX_BOOL, 'i'},
    {"float16", 2, STOA_ONNX_FLOAT16, 'f'},   {"double", 8, STOA_ONNX_DOUBLE, 'd'},
    {"uint32", 4, STOA_ONNX_UINT32, 'i'},     {"uint64", 8, STOA_ONNX_UINT64, 'i'},
    {"bfloat16", 2, STOA_ONNX_BFLOAT16, 'f'},
};

static const struct type_row *find_type(int32_t type) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].type == type) {
            return &types[i];
        }
    }
    return NULL;
}

const char *stoa_onnx_type_name(int32_t type) {
    const struct type_row *row = find_type(type);
    return row ? row->name : "another type";
}

bool stoa_onnx_count(size_t rank, const size_t *dim, size_t *count) {
    *count = 1;
    for (size_t i = 0; i < rank; i++) {
        if (!stoa_size_scale(count, dim[i]) || *count > STOA_MAX_DIMENSION) {
            return false;
        }
    }
    return true;
}

/* Memory for the numbers of a tensor whose count is known to be paid for. */
static stoa_status allocate(struct stoa_error *error, struct stoa_onnx_tensor *tensor) {
    const char kind = find_type(tensor->type)->kind;
    const size_t bytes = kind == 'f' ? sizeof(float) : sizeof(double);
    size_t wanted;
    tensor->memory =
        stoa_size_mul(tensor->count + (tensor->count == 0), bytes, &wanted) ? malloc(wanted) : NULL;
    if (!tensor->memory) {
        return stoa_error_set(error, STOA_ERR_MEMORY, "no memory for a constant of %zu numbers",
                              tensor->count);
    }
    tensor->f = kind == 'f' ? tensor->memory : NULL;
    tensor->d = kind == 'd' ? tensor->memory : NULL;
    tensor->i = kind == 'i' ? tensor->memory : NULL;
    return STOA_OK;
}

stoa_status stoa_onnx_tensor_make(struct stoa_onnx_source *source, struct stoa_onnx_tensor *tensor) {
    if (!stoa_onnx_count(tensor->rank, tensor->dim, &tensor->count) || tensor->count > source->budget) {
        return stoa_error_set(source->error, STOA_ERR_UNSUPPORTED,
                              "its constant has more numbers than a file of this size accounts for");
    }
    source->budget -= tensor->count;
    return allocate(source->error, tensor);
}

void stoa_onnx_tensor_free(struct stoa_onnx_tensor *tensor) {
    free(tensor->memory);
    *tensor = (struct stoa_onnx_tensor){.type = 0};
}

double stoa_onnx_at(const struct stoa_onnx_tensor *tensor, size_t index) {
    return tensor->f   ? (double)tensor->f[index]
           : tensor->d ? tensor->d[index]
           : tensor->i ? (double)tensor->i[index]
                       : 0;
}

/* Beyond what int64 holds the nearest number that it holds. */
static int64_t to_integer(double value) {
    return isnan(value) ? 0 : value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

int64_t stoa_onnx_integer_at(const struct stoa_onnx_tensor *tensor, size_t index) {
    return tensor->i ? tensor->i[index] : to_integer(stoa_onnx_at(tensor, index));
}

void stoa_onnx_put(struct stoa_onnx_tensor *tensor, size_t index, double value) {
    if (tensor->f) {
        tensor->f[index] = (float)value;
    } else if (tensor->d) {
        tensor->d[index] = value;
    } else if (tensor->i) {
        tensor->i[index] = to_integer(value);
    }
}

static stoa_status fail(const struct stoa_onnx_source *source, const StoaOnnx__Tensor *message,
                        stoa_status status, const char *what) {
    return stoa_error_set(source->error, status, "tensor '" NAME "': %s", message->name ? message->name : "",
                          what);
}

static stoa_status read_shape(const struct stoa_onnx_source *source, const StoaOnnx__Tensor *message,
                              struct stoa_onnx_tensor *tensor) {
    tensor->type = message->data_type;
    tensor->rank = message->n_dims;
    if (!find_type(tensor->type)) {
        return stoa_error_set(source->error, STOA_ERR_UNSUPPORTED,
                              "tensor '" NAME "': found data type %" PRId32
                              ", expected numbers of a type up to 16",
                              message->name ? message->name : "", tensor->type);
    }
    if (tensor->rank > STOA_ONNX_RANK) {
        return fail(source, message, STOA_ERR_UNSUPPORTED, "found more than 8 dimensions");
    }
    for (size_t i = 0; i < tensor->rank; i++) {
        if (message->dims[i] < 0 || message->dims[i] > (int64_t)STOA_MAX_DIMENSION) {
            return stoa_error_set(source->error, STOA_ERR_FORMAT,
                                  "tensor '" NAME "': found dimension %" PRId64 ", expected 0 to %zu",
                                  message->name ? message->name : "", message->dims[i], STOA_MAX_DIMENSION);
        }
        tensor->dim[i] = (size_t)message->dims[i];
    }
    if (!stoa_onnx_count(tensor->rank, tensor->dim, &tensor->count)) {
        return fail(source, message, STOA_ERR_FORMAT,
                    "its dimensions multiply to more numbers than can be held");
    }
    return STOA_OK;
}

/* One number of raw data. */
static float raw_float(int32_t type, const uint8_t *at) {
    return type == STOA_ONNX_FLOAT     ? stoa_bits_to_float(stoa_load_le32(at))
           : type == STOA_ONNX_FLOAT16 ? stoa_half_to_float(stoa_load_le16(at))
                                       : stoa_bfloat16_to_float(stoa_load_le16(at));
}

static int64_t raw_integer(int32_t type, const uint8_t *at) {
    switch (type) {
    case STOA_ONNX_INT8:
        return at[0] < 128 ? at[0] : at[0] - 256;
    case STOA_ONNX_UINT8:
    case STOA_ONNX_BOOL:
        return at[0];
    case STOA_ONNX_INT16:
        return (int16_t)stoa_load_le16(at);
    case STOA_ONNX_UINT16:
        return stoa_load_le16(at);
    case STOA_ONNX_INT32:
        return (int32_t)stoa_load_le32(at);
    case STOA_ONNX_UINT32:
        return stoa_load_le32(at);
    default:
        return (int64_t)stoa_load_le64(at);
    }
}

static void put_raw(struct stoa_onnx_tensor *tensor, size_t index, const uint8_t *at) {
    if (tensor->f) {
        tensor->f[index] = raw_float(tensor->type, at);
    } else if (tensor->d) {
        tensor->d[index] = stoa_bits_to_double(stoa_load_le64(at));
    } else if (tensor->i) {
        tensor->i[index] = raw_integer(tensor->type, at);
    }
}

static void put_all_raw(struct stoa_onnx_tensor *tensor, const uint8_t *data) {
    const size_t bytes = find_type(tensor->type)->bytes;
    for (size_t i = 0; i < tensor->count; i++) {
        put_raw(tensor, i, data + i * bytes);
    }
}

/* One of the fields for numbers by type: float16, bfloat16 and small integers share int32_data. */
static float typed_float(int32_t type, const StoaOnnx__Tensor *message, size_t i) {
    return type == STOA_ONNX_FLOAT     ? message->float_data[i]
           : type == STOA_ONNX_FLOAT16 ? stoa_half_to_float((uint16_t)message->int32_data[i])
                                       : stoa_bfloat16_to_float((uint16_t)message->int32_data[i]);
}

static int64_t typed_integer(int32_t type, const StoaOnnx__Tensor *message, size_t i) {
    return type == STOA_ONNX_INT64                                ? message->int64_data[i]
           : type == STOA_ONNX_UINT32 || type == STOA_ONNX_UINT64 ? (int64_t)message->uint64_data[i]
                                                                  : message->int32_data[i];
}

static void put_typed(struct stoa_onnx_tensor *tensor, const StoaOnnx__Tensor *message) {
    for (size_t i = 0; i < tensor->count; i++) {
        if (tensor->f) {
            tensor->f[i] = typed_float(tensor->type, message, i);
        } else if (tensor->d) {
            tensor->d[i] = message->double_data[i];
        } else if (tensor->i) {
            tensor->i[i] = typed_integer(tensor->type, message, i);
        }
    }
}

static size_t typed_count(const StoaOnnx__Tensor *message) {
    switch (message->data_type) {
    case STOA_ONNX_FLOAT:
        return message->n_float_data;
    case STOA_ONNX_DOUBLE:
        return message->n_double_data;
    case STOA_ONNX_INT64:
        return message->n_int64_data;
    case STOA_ONNX_UINT32:
    case STOA_ONNX_UINT64:
        return message->n_uint64_data;
    default:
        return message->n_int32_data;
    }
}

/* What the entries of an external tensor say. */
struct external_place {
    const char *location;
    size_t offset, length;
    bool has_length;
};

static stoa_status read_place(const struct stoa_onnx_source *source, const StoaOnnx__Tensor *message,
                              struct external_place *place) {
    *place = (struct external_place){.location = NULL};
    for (size_t i = 0; i < message->n_external_data; i++) {
        const char *key = message->external_data[i]->key, *value = message->external_data[i]->value;
        if (!key || !value) {
            continue;
        }
        size_t *number = strcmp(key, "offset") == 0   ? &place->offset
                         : strcmp(key, "length") == 0 ? &place->length
                                                      : NULL;
        if (strcmp(key, "location") == 0) {
            place->location = value;
        } else if (number && !stoa_parse_size(value, strlen(value), number)) {
            return stoa_error_set(source->error, STOA_ERR_FORMAT,
                                  "tensor '" NAME "': %s: found '%.40s', expected a number of bytes",
                                  message->name ? message->name : "", key, value);
        }
        place->has_length = place->has_length || number == &place->length;
    }
    return place->location ? STOA_OK
                           : fail(source, message, STOA_ERR_FORMAT, "is external data without a location");
}

static stoa_status read_external(struct stoa_onnx_source *source, const StoaOnnx__Tensor *message,
                                 struct stoa_onnx_tensor *tensor) {
    struct external_place place;
    const size_t wanted = tensor->count * find_type(tensor->type)->bytes;
    size_t have = 0;
    stoa_status status = read_place(source, message, &place);
    if (status == STOA_OK && place.has_length && place.length != wanted) {
        return stoa_error_set(source->error, STOA_ERR_FORMAT,
                              "tensor '" NAME "': found a length of %zu bytes, expected %zu for its shape",
                              message->name ? message->name : "", place.length, wanted);
    }
    if (status == STOA_OK) {
        status = stoa_onnx_external_size(source->error, source->folder, place.location, &have);
    }
    if (status == STOA_OK && (place.offset > have || wanted > have - place.offset)) {
        return stoa_error_set(source->error, STOA_ERR_FORMAT,
                              "tensor '" NAME "': its %zu bytes from %zu on are not in the file '" NAME
                              "' of %zu bytes",
                              message->name ? message->name : "", wanted, place.offset, place.location, have);
    }
    uint8_t *data = status == STOA_OK ? malloc(wanted + 1) : NULL;
    if (status == STOA_OK) {
        status = data ? stoa_onnx_read_external(source->error, source->folder, place.location, place.offset,
                                                wanted, data)
                      : fail(source, message, STOA_ERR_MEMORY, "no memory for its bytes");
    }
    if (status == STOA_OK) {
        status = allocate(source->error, tensor);
    }
    if (status == STOA_OK && data) {
        put_all_raw(tensor, data);
    }
    free(data);
    return status;
}

stoa_status stoa_onnx_tensor_read(struct stoa_onnx_source *source, const StoaOnnx__Tensor *message,
                                  struct stoa_onnx_tensor *tensor) {
    *tensor = (struct stoa_onnx_tensor){.type = 0};
    stoa_status status = read_shape(source, message, tensor);
    if (status != STOA_OK) {
        return status;
    }
    if (message->data_location == EXTERNAL) {
        return read_external(source, message, tensor);
    }
    const bool raw = message->raw_data.len > 0 || message->has_raw_data;
    const size_t unit = raw ? find_type(tensor->type)->bytes : 1;
    const size_t have = raw ? message->raw_data.len : typed_count(message);
    if (have != tensor->count * unit) {
        return stoa_error_set(
            source->error, STOA_ERR_FORMAT, "tensor '" NAME "': found %zu %s, its shape asks for %zu",
            message->name ? message->name : "", have, raw ? "bytes" : "numbers", tensor->count * unit);
    }
    status = allocate(source->error, tensor);
    if (status == STOA_OK && raw) {
        put_all_raw(tensor, message->raw_data.data);
    } else if (status == STOA_OK) {
        put_typed(tensor, message);
    }
    return status;
}
