/* SPDX-License-Identifier: MIT */
/* The C file as a whole: its name, its parts in their order, and the files on disk. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/version.h>

#include "base/file.h"
#include "base/float_state.h"
#include "base/size.h"
#include "ccode/ccode.h"
#include "model/files.h"

/* ---- the name ---- */

static const char *const keywords[] = {
    "alignas", "alignof",  "and",    "asm",      "auto",     "bool",     "break", "case",   "catch",
    "char",    "class",    "const",  "continue", "default",  "delete",   "do",    "double", "else",
    "enum",    "explicit", "export", "extern",   "false",    "float",    "for",   "friend", "goto",
    "if",      "inline",   "int",    "long",     "main",     "mutable",  "new",   "not",    "operator",
    "or",      "private",  "public", "register", "restrict", "return",   "short", "signed", "sizeof",
    "static",  "struct",   "switch", "template", "this",     "throw",    "true",  "try",    "typedef",
    "union",   "unsigned", "using",  "virtual",  "void",     "volatile", "while", "xor",
};

static bool is_letter(char c) {
    return isalpha((unsigned char)c) && (unsigned char)c < 0x80;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_identifier(const char *name) {
    size_t length = strlen(name);
    bool good = length > 0 && length <= STOA_C_NAME && is_letter(name[0]);
    for (size_t i = 0; good && i < length; i++) {
        good = is_letter(name[i]) || is_digit(name[i]) || name[i] == '_';
    }
    for (size_t i = 0; good && i < sizeof keywords / sizeof keywords[0]; i++) {
        good = strcmp(name, keywords[i]) != 0;
    }
    return good;
}

/* From the name of a file: "runs/mnist-best.c" is mnist_best. */
static void name_of_file(const char *path, char out[STOA_C_NAME + 1]) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t length = 0;
    if (!is_letter(*name)) {
        memcpy(out, "net_", 4);
        length = 4;
    }
    for (; *name && *name != '.' && length < STOA_C_NAME; name++) {
        out[length++] = (char)(is_letter(*name) || is_digit(*name) ? *name : '_');
    }
    out[length] = '\0';
}

static stoa_status set_name(struct stoa_c *code, const char *path, const char *name) {
    char own[STOA_C_NAME + 1] = "";
    name_of_file(path, own);
    if (!name && !is_identifier(own)) {
        (void)memcpy(own, "net", sizeof "net");
    }
    if (name && !is_identifier(name)) {
        return stoa_fail(
            code->context, STOA_ERR_ARGUMENT,
            "export: name: found '%.80s', expected an identifier of C: a letter, then letters, digits "
            "and '_', at most %d in all, and no keyword",
            name, STOA_C_NAME);
    }
    (void)snprintf(code->name, sizeof code->name, "%s", name ? name : own);
    for (size_t i = 0; i <= strlen(code->name); i++) {
        code->upper[i] =
            (char)(code->name[i] >= 'a' && code->name[i] <= 'z' ? code->name[i] - 'a' + 'A' : code->name[i]);
    }
    return STOA_OK;
}

/* ---- the file ---- */

static void describe_port(const stoa_port_info *port, const char *what, size_t number, bool several,
                          struct stoa_c_text *text) {
    const size_t *dim = port->shape;
    stoa_c_print(text, " * %s", what);
    if (several) {
        stoa_c_print(text, " %zu (", number);
        stoa_c_comment(text, port->name);
        stoa_c_print(text, ")");
    }
    stoa_c_print(text, ": %zu floats", port->size);
    if (port->rank == 3 && dim[0] * dim[1] > 1) {
        stoa_c_print(text, ", an image of %zux%zux%zu (height, width, channels), channels last: number\n",
                     dim[0], dim[1], dim[2]);
        stoa_c_print(text, " * (row * %zu + column) * %zu + channel", dim[1], dim[2]);
    }
    stoa_c_print(text, ".\n");
}

static void write_head(struct stoa_c *code) {
    struct stoa_c_text *text = &code->file;
    const char *name = code->name;
    const char *upper = code->upper;
    stoa_c_print(
        text, "/* Written by stoa export (Stoa %s): %s, a network of %zu layers as C99, and C++ as well.\n",
        STOA_VERSION_STRING, name, code->plan->nodes);
    stoa_c_print(text, " *\n * To compile: cc -O3 -march=native -ffp-contract=fast -c %s.c\n", name);
    stoa_c_print(text,
                 " * To try: cc -O3 -D%s_MAIN %s.c -o %s -lm; it reads samples as numbers in text from the\n",
                 upper, name, name);
    stoa_c_print(text, " * standard input%s and prints a line for each.\n",
                 code->separate ? ", the weights from the file that it is given," : "");
    stoa_c_print(
        text, " * With %s_DECLARATIONS defined before it is included, this file only declares.\n *\n", upper);
    stoa_port_info port;
    for (size_t i = 0; stoa_model_input_at(code->model, i, &port); i++) {
        describe_port(&port, "Input", i, !stoa_c_is_single(code), text);
    }
}

static void write_tail_of_head(struct stoa_c *code) {
    struct stoa_c_text *text = &code->file;
    stoa_port_info port;
    for (size_t i = 0; stoa_model_output_at(code->model, i, &port); i++) {
        describe_port(&port, "Output", i, !stoa_c_is_single(code), text);
    }
    stoa_c_print(text,
                 " * %zu floats of weights, %zu of arena. No heap, and no state but the arena of %s_run();\n",
                 code->weights, code->arena_floats, code->name);
    stoa_c_print(
        text,
        " * with arenas of their own several threads may run. Input, output and arena do not overlap. */\n");
}

static void define_sizes(struct stoa_c *code) {
    struct stoa_c_text *text = &code->file;
    stoa_port_info port;
    stoa_c_print(text, "/* Floats of inputs, outputs and an arena. */\n");
    for (size_t i = 0; stoa_model_input_at(code->model, i, &port); i++) {
        stoa_c_print(text, "#define %s_INPUT", code->upper);
        stoa_c_print(text, stoa_c_is_single(code) ? " " : "_%zu ", i);
        stoa_c_print(text, "%zu\n", port.size);
    }
    for (size_t i = 0; stoa_model_output_at(code->model, i, &port); i++) {
        stoa_c_print(text, "#define %s_OUTPUT", code->upper);
        stoa_c_print(text, stoa_c_is_single(code) ? " " : "_%zu ", i);
        stoa_c_print(text, "%zu\n", port.size);
    }
    stoa_c_print(text, "#define %s_ARENA %zu\n", code->upper, code->arena_floats);
}

static void write_declarations(struct stoa_c *code, const struct stoa_c_text *samples) {
    struct stoa_c_text *text = &code->file;
    const char *name = code->name;
    const char *upper = code->upper;
    stoa_c_print(text, "#ifndef %s_DECLARED\n#define %s_DECLARED\n\n#include <stddef.h>\n\n", upper, upper);
    define_sizes(code);
    stoa_c_print(text, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    if (code->separate) {
        stoa_c_print(text, "/* Take the file of the weights, read into memory at a multiple of 4 bytes, "
                           "which stays where it\n");
        stoa_c_print(text, " * is. Returns 0; 1: no memory, or not so aligned; 2: not of its size; 3: not "
                           "such a file, or of the\n");
        stoa_c_print(text, " * other order of bytes; 4: not the weights of this network, or damaged. */\n");
        stoa_c_print(text, "int %s_init(const void *data, size_t bytes);\n", name);
    }
    stoa_c_print(text,
                 "/* Compute one sample, in an arena of the file's own or in the caller's. Returns 0%s. */\n",
                 code->separate ? "; 1: there are no\n * weights yet" : "");
    const char *ports = stoa_c_ports(code);
    stoa_c_print(text, "int %s_run(%s);\nint %s_run_in(float *arena, %s);\n", name, ports, name, ports);
    stoa_c_add(text, samples->data, samples->bytes);
    stoa_c_print(text, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n\n");
}

static void write_file(struct stoa_c *code, const struct stoa_c_text *declarations,
                       const struct stoa_c_text *functions) {
    struct stoa_c_text *text = &code->file;
    write_tail_of_head(code);
    write_declarations(code, declarations);
    stoa_c_print(text,
                 "#ifndef %s_DECLARATIONS\n\n#include <math.h>\n#include <stdlib.h>\n#include <string.h>\n",
                 code->upper);
    stoa_c_print(text, "#ifdef %s_MAIN\n#include <stdio.h>\n#endif\n\n", code->upper);
    stoa_c_write_weights(code, text);
    stoa_c_write_helpers(code, text);
    stoa_c_add(text, code->layers.data, code->layers.bytes);
    stoa_c_add(text, functions->data, functions->bytes);
    stoa_c_print(text, "#endif\n");
}

static stoa_status check_finite(const struct stoa_c *code) {
    const stoa_model *model = code->model;
    for (size_t t = 0; t < model->tensor_count; t++) {
        const float *values = stoa_tensor_data(model, t);
        for (size_t i = 0; i < model->tensors[t].count; i++) {
            if (!isfinite(values[i])) {
                return stoa_fail(code->context, STOA_ERR_ARGUMENT,
                                 "export: %s holds a number that is not finite, which C cannot write",
                                 model->tensors[t].name);
            }
        }
    }
    return STOA_OK;
}

static stoa_status compose(struct stoa_c *code) {
    struct stoa_c_text declarations = {0};
    struct stoa_c_text functions = {0};
    write_head(code);
    stoa_c_write_layers(code);
    stoa_c_write_run(code);
    stoa_status status =
        stoa_c_is_single(code) ? stoa_c_write_samples(code, &declarations, &functions) : STOA_OK;
    write_file(code, &declarations, &functions);
    bool failed =
        code->failed || code->layers.failed || code->file.failed || declarations.failed || functions.failed;
    stoa_c_text_free(&declarations);
    stoa_c_text_free(&functions);
    return status != STOA_OK ? status
           : failed          ? stoa_fail(code->context, STOA_ERR_MEMORY, "export: out of memory")
                             : STOA_OK;
}

/* ---- the files on disk ---- */

static stoa_status write_files(struct stoa_c *code, const char *path, const char *weights,
                               stoa_c_sizes *sizes) {
    struct stoa_error *error = &code->context->error;
    size_t bytes = 0;
    void *data = weights ? stoa_c_weights_file(code, &bytes) : NULL;
    if (weights && !data) {
        return stoa_fail(code->context, STOA_ERR_MEMORY, "export: out of memory");
    }
    const struct stoa_file_piece piece = {data, bytes};
    const struct stoa_file_piece source = {code->file.data, code->file.bytes};
    stoa_status status = weights ? stoa_file_write(error, weights, &piece, 1) : STOA_OK;
    if (status == STOA_OK) {
        status = stoa_file_write(error, path, &source, 1);
        if (status != STOA_OK && weights) {
            (void)remove(weights); /* without its source it is of no use */
        }
    }
    free(data);
    if (status == STOA_OK && sizes) {
        *sizes = (stoa_c_sizes){.source_bytes = code->file.bytes,
                                .code_bytes = code->file.bytes - (code->separate ? 0 : code->constants.bytes),
                                .constant_bytes = code->weights * sizeof(float),
                                .arena_bytes = code->arena_floats * sizeof(float),
                                .weights_bytes = bytes};
    }
    return status;
}

static void release(struct stoa_c *code) {
    stoa_plan_free(code->plan);
    free(code->step);
    free(code->value);
    free(code->block);
    free(code->weight);
    stoa_c_text_free(&code->constants);
    stoa_c_text_free(&code->layers);
    stoa_c_text_free(&code->file);
}

static stoa_status export_model(struct stoa_c *code, const char *path, const stoa_c_options *options,
                                stoa_c_sizes *sizes) {
    const stoa_plan_options plan = {.batch = 1, .prepare = true};
    stoa_status status = check_finite(code);
    if (status == STOA_OK) {
        status = stoa_plan_create(code->context, code->model, &plan, &code->plan);
    }
    if (status == STOA_OK) {
        status = stoa_c_find_steps(code);
    }
    if (status == STOA_OK) {
        status = compose(code);
    }
    return status == STOA_OK ? write_files(code, path, options->weights, sizes) : status;
}

stoa_status stoa_model_export_c(stoa_model *model, const char *path, const stoa_c_options *options,
                                stoa_c_sizes *sizes) {
    STOA_FLOAT_STATE();
    const stoa_c_options none = {0};
    options = options ? options : &none;
    struct stoa_c code = {.context = model->context, .model = model, .separate = options->weights != NULL};
    stoa_status status = stoa_model_check_built(model);
    if (status == STOA_OK) {
        status = set_name(&code, path, options->name);
    }
    if (status == STOA_OK && options->weights && strcmp(options->weights, path) == 0) {
        status =
            stoa_fail(code.context, STOA_ERR_ARGUMENT,
                      "export: found '%.200s' for the C file and for its weights, expected two files", path);
    }
    if (status == STOA_OK) {
        status = export_model(&code, path, options, sizes);
    }
    release(&code);
    return status;
}
