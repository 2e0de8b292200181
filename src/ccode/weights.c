/* SPDX-License-Identifier: MIT */
/* Weights of the C file: arrays of constants, or a file of their own.
 *
 * That file is a head of 64 bytes and the floats, in the little end first order: "STOACWTS"; the number 1 as
 * a float; how many floats follow and their checksum (FNV-1a over 32-bit words), 4 bytes each; zeros. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/size.h"
#include "ccode/ccode.h"

enum { HEAD_BYTES = 64 };

static bool make_room(struct stoa_c *code, size_t count) {
    size_t wanted;
    if (!stoa_size_add(code->weights, count, &wanted)) {
        return false;
    }
    if (wanted <= code->weight_room) {
        return true;
    }
    size_t room = stoa_max(wanted, 2 * code->weight_room);
    float *larger = room <= SIZE_MAX / sizeof *larger ? realloc(code->weight, room * sizeof *larger) : NULL;
    if (larger) {
        code->weight = larger;
        code->weight_room = room;
    }
    return larger;
}

static void write_array(struct stoa_c *code, const char *name, const float *values, size_t count) {
    enum { IN_A_LINE = 8 };
    struct stoa_c_text *text = &code->constants;
    stoa_c_line(text, "static const float %s_%zu_%s[%zu] = {", code->name, code->number, name, count);
    for (size_t i = 0; i < count; i++) {
        stoa_c_print(text, i % IN_A_LINE == 0 ? "    " : " ");
        stoa_c_float(text, values[i]);
        stoa_c_print(text, i % IN_A_LINE == IN_A_LINE - 1 || i + 1 == count ? ",\n" : ",");
    }
    stoa_c_line(text, "};\n");
}

void stoa_c_constant(struct stoa_c *code, const char *name, const float *values, size_t count) {
    if (!make_room(code, count)) {
        code->failed = true;
        return;
    }
    memcpy(code->weight + code->weights, values, count * sizeof *values);
    if (code->separate) {
        stoa_c_line(&code->layers, "const float *%s = %s_weights + %zu;", name, code->name, code->weights);
    } else {
        write_array(code, name, values, count);
        stoa_c_line(&code->layers, "const float *%s = %s_%zu_%s;", name, code->name, code->number, name);
    }
    code->weights += count;
}

/* ---- a file of their own ---- */

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint32_t checksum(const struct stoa_c *code) {
    uint32_t sum = 2166136261U;
    for (size_t i = 0; i < code->weights; i++) {
        sum = (sum ^ bits_of(code->weight[i])) * 16777619U;
    }
    return sum;
}

void *stoa_c_weights_file(const struct stoa_c *code, size_t *bytes) {
    *bytes = HEAD_BYTES + code->weights * sizeof(float);
    unsigned char *data = calloc(1, *bytes);
    if (data) {
        memcpy(data, "STOACWTS", 8);
        stoa_store_le32(data + 8, bits_of(1));
        stoa_store_le32(data + 12, (uint32_t)code->weights);
        stoa_store_le32(data + 16, checksum(code));
        for (size_t i = 0; i < code->weights; i++) {
            stoa_store_le32(data + HEAD_BYTES + i * sizeof(float), bits_of(code->weight[i]));
        }
    }
    return data;
}

/* The function that takes the file. Words are read through a union: floats and whole numbers of 32 bits. */
static void write_init(const struct stoa_c *code, struct stoa_c_text *text) {
    const char *name = code->name;
    stoa_c_line(text, "static const float *%s_weights;\n", name);
    stoa_c_open(text, "int %s_init(const void *data, size_t bytes)", name);
    stoa_c_line(text, "const unsigned char *byte = (const unsigned char *)data;");
    stoa_c_line(text, "const float *number = (const float *)data;");
    stoa_c_line(text, "unsigned long sum = 2166136261UL;");
    stoa_c_line(text, "%s_weights = NULL;", name);
    stoa_c_open(text, "if (!data || (size_t)data %% sizeof(float) != 0)");
    stoa_c_line(text, "return 1;");
    stoa_c_close(text);
    stoa_c_open(text, "if (bytes != %zu)", HEAD_BYTES + code->weights * sizeof(float));
    stoa_c_line(text, "return 2;");
    stoa_c_close(text);
    stoa_c_open(text, "if (memcmp(data, \"STOACWTS\", 8) != 0 || number[2] != 1.0F)");
    stoa_c_line(text, "return 3;");
    stoa_c_close(text);
    stoa_c_open(text, "for (size_t i = %d; i < bytes; i += 4)", HEAD_BYTES);
    stoa_c_line(text, "sum ^= (unsigned long)byte[i] | (unsigned long)byte[i + 1] << 8 |");
    stoa_c_line(text, "       (unsigned long)byte[i + 2] << 16 | (unsigned long)byte[i + 3] << 24;");
    stoa_c_line(text, "sum = sum * 16777619UL & 0xffffffffUL;");
    stoa_c_close(text);
    stoa_c_open(text, "if (sum != %luUL)", (unsigned long)checksum(code));
    stoa_c_line(text, "return 4;");
    stoa_c_close(text);
    stoa_c_line(text, "%s_weights = number + %zu;", name, HEAD_BYTES / sizeof(float));
    stoa_c_line(text, "return 0;");
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

void stoa_c_write_weights(struct stoa_c *code, struct stoa_c_text *text) {
    if (code->separate) {
        write_init(code, text);
    } else {
        stoa_c_add(text, code->constants.data, code->constants.bytes);
        text->failed = text->failed || code->constants.failed;
    }
}
