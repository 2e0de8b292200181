/* SPDX-License-Identifier: MIT */
/* protobuf-c with an allocator that has a limit. A few bytes of a message can stand for a struct many times
 * their size, so the limit is a multiple of the file's bytes: networks stay far below it, and a file made to
 * cost memory costs at most that. */
#include "onnx/read.h"

#include <stdlib.h>

#include "base/size.h"

/* A string of one byte costs a pointer, a terminator and what malloc() adds; a number of one byte costs
 * eight. */
enum { TIMES = 24, BASE_BYTES = 1 << 20 };

struct budget {
    size_t left;
};

static void *take(void *user, size_t bytes) {
    struct budget *budget = user;
    const size_t cost = bytes + 2 * sizeof(void *);
    if (bytes > budget->left || cost > budget->left) {
        return NULL;
    }
    budget->left -= cost;
    return malloc(bytes);
}

static void give(void *user, void *memory) {
    (void)user;
    free(memory);
}

static void *unpack(struct stoa_error *error, const ProtobufCMessageDescriptor *descriptor, const void *data,
                    size_t bytes) {
    struct budget budget;
    if (!stoa_size_mul(bytes, TIMES, &budget.left) || !stoa_size_add(budget.left, BASE_BYTES, &budget.left)) {
        budget.left = (size_t)-1;
    }
    ProtobufCAllocator allocator = {take, give, &budget};
    void *message = protobuf_c_message_unpack(descriptor, &allocator, bytes, data);
    if (!message) {
        (void)stoa_error_set(error, STOA_ERR_FORMAT,
                             "found %zu bytes that are no ONNX %s: cut short, damaged, or another format",
                             bytes, descriptor == &stoa_onnx__model__descriptor ? "model" : "tensor");
    }
    return message;
}

/* What was taken from the budget came from malloc(). */
static void release(void *message) {
    ProtobufCAllocator allocator = {take, give, NULL};
    if (message) {
        protobuf_c_message_free_unpacked(message, &allocator);
    }
}

stoa_status stoa_onnx_unpack(struct stoa_error *error, const void *data, size_t bytes,
                             StoaOnnx__Model **model) {
    *model = unpack(error, &stoa_onnx__model__descriptor, data, bytes);
    return *model ? STOA_OK : STOA_ERR_FORMAT;
}

stoa_status stoa_onnx_unpack_tensor(struct stoa_error *error, const void *data, size_t bytes,
                                    StoaOnnx__Tensor **tensor) {
    *tensor = unpack(error, &stoa_onnx__tensor__descriptor, data, bytes);
    return *tensor ? STOA_OK : STOA_ERR_FORMAT;
}

void stoa_onnx_release(StoaOnnx__Model *model) {
    release(model);
}

void stoa_onnx_release_tensor(StoaOnnx__Tensor *tensor) {
    release(tensor);
}
