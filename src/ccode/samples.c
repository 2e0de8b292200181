/* SPDX-License-Identifier: MIT */
/* What goes before and behind a run, as the model's facts say: normalisation, columns of tables, classes and
 * their shares, targets; and a main() to try it with. */
#include <string.h>

#include "base/size.h"
#include "ccode/ccode.h"
#include "data/dataset.h"
#include "train/data_facts.h"

/* What is known of a model's data, and where it is written to. */
struct samples {
    struct stoa_c *code;
    struct stoa_data_facts facts;
    struct stoa_c_text *declarations, *functions;
    size_t inputs, outputs;
    stoa_task task;
    bool is_table, gives_logits, is_probability;
};

static void write_list(struct stoa_c_text *text, const char *name, const float *values, size_t count) {
    stoa_c_print(text, "    static const float %s[%zu] = {", name, count);
    for (size_t i = 0; i < count; i++) {
        stoa_c_print(text, "%s", i == 0 ? "" : i % 8 == 0 ? ",\n        " : ", ");
        stoa_c_float(text, values[i]);
    }
    stoa_c_print(text, "};\n");
}

/* ---- before a run ---- */

static bool is_scaled(const struct samples *s) {
    return s->facts.scales > 1 ||
           (s->facts.scales == 1 && (s->facts.mean[0] != 0.0F || s->facts.deviation[0] != 1.0F));
}

static void write_prepare(struct samples *s) {
    struct stoa_c_text *text = s->functions;
    const char *name = s->code->name;
    size_t scales = s->facts.scales;
    stoa_c_line(s->declarations, "/* Values of a sample, as the head of this file says, to the input of a "
                                 "run; input may be values. */");
    stoa_c_line(s->declarations, "void %s_prepare(const float *values, float *input);", name);
    stoa_c_open(text, "void %s_prepare(const float *values, float *input)", name);
    if (is_scaled(s)) {
        write_list(text, "mean", s->facts.mean, scales);
        write_list(text, "deviation", s->facts.deviation, scales);
    }
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", s->inputs);
    if (!is_scaled(s)) {
        stoa_c_line(text, "input[i] = values[i];");
    } else if (scales == 1) {
        stoa_c_line(text, "input[i] = (values[i] - mean[0]) / deviation[0];");
    } else {
        stoa_c_line(text, "input[i] = (values[i] - mean[i %% %zu]) / deviation[i %% %zu];", scales, scales);
    }
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

/* Numbers that a column of a table takes. */
static size_t width_of(const stoa_column *column) {
    return column->kind == STOA_COLUMN_CATEGORY ? column->category_count : 1;
}

static void write_column(struct samples *s, size_t number, size_t first) {
    struct stoa_c_text *text = s->functions;
    const stoa_column *column = &s->facts.column[number];
    char fill[STOA_C_NUMBER];
    bool filled = column->fill == column->fill; /* not NAN */
    stoa_c_print(text, "    /* ");
    stoa_c_comment(text, column->name ? column->name : "a column");
    stoa_c_print(text, " */\n");
    stoa_c_open(text, "if (!fields[%zu] || !*fields[%zu])", number, number);
    if (!filled) {
        stoa_c_line(text, "return %zu;", number + 1);
    }
    if (column->kind != STOA_COLUMN_CATEGORY) {
        if (filled) {
            stoa_c_line(text, "values[%zu] = %s;", first, stoa_c_number(column->fill, fill));
        }
        stoa_c_print(text, "    } else {\n");
        stoa_c_line(text, "values[%zu] = (float)strtod(fields[%zu], &end);", first, number);
        stoa_c_open(text, "if (*end != '\\0' || end == fields[%zu])", number);
        stoa_c_line(text, "return %zu;", number + 1);
        stoa_c_close(text);
        stoa_c_close(text);
        return;
    }
    if (filled) {
        stoa_c_line(text, "values[%zu] = 1.0F;", first + (size_t)column->fill);
    }
    for (size_t i = 0; i < column->category_count; i++) {
        stoa_c_print(text, "    } else if (strcmp(fields[%zu], ", number);
        stoa_c_string(text, column->categories[i]);
        stoa_c_print(text, ") == 0) {\n");
        stoa_c_line(text, "values[%zu] = 1.0F;", first + i);
    }
    stoa_c_print(text, "    } else {\n");
    stoa_c_line(text, "return %zu;", number + 1);
    stoa_c_close(text);
}

/* A row of a table, as texts, to values. */
static void write_fields(struct samples *s) {
    struct stoa_c_text *text = s->functions;
    const char *name = s->code->name;
    size_t columns = s->facts.source.options.fitted_count;
    size_t first = 0;
    bool numbers = false;
    for (size_t i = 0; i < columns; i++) {
        numbers = numbers || s->facts.column[i].kind != STOA_COLUMN_CATEGORY;
    }
    stoa_c_line(s->declarations,
                "/* The %zu columns of a row of a table, as texts, to values; NULL or \"\" is missing. "
                "Categories are",
                columns);
    stoa_c_line(
        s->declarations,
        " * those of training; of dates the text is their days since the beginning of 1970. Returns 0, or");
    stoa_c_line(s->declarations, " * the number, from 1, of the first column that cannot be read. */");
    stoa_c_line(s->declarations, "int %s_fields(const char *const *fields, float *values);", name);
    stoa_c_open(text, "int %s_fields(const char *const *fields, float *values)", name);
    if (numbers) {
        stoa_c_line(text, "char *end;");
    }
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", s->inputs);
    stoa_c_line(text, "values[i] = 0.0F;");
    stoa_c_close(text);
    for (size_t i = 0; i < columns; i++) {
        write_column(s, i, first);
        first += width_of(&s->facts.column[i]);
    }
    stoa_c_line(text, "return 0;");
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

/* ---- behind a run ---- */

static void write_restore(struct samples *s) {
    struct stoa_c_text *text = s->functions;
    stoa_c_line(s->declarations, "/* An output in the units of the targets, in place. */");
    stoa_c_line(s->declarations, "void %s_restore(float *output);", s->code->name);
    stoa_c_open(text, "void %s_restore(float *output)", s->code->name);
    write_list(text, "mean", s->facts.target_mean, s->outputs);
    write_list(text, "deviation", s->facts.target_deviation, s->outputs);
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", s->outputs);
    stoa_c_line(text, "output[i] = output[i] * deviation[i] + mean[i];");
    stoa_c_close(text);
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

static void write_class(struct samples *s) {
    struct stoa_c_text *text = s->functions;
    const char *name = s->code->name;
    stoa_c_line(s->declarations, "/* The class of an output: of several as large the first. */");
    stoa_c_line(s->declarations, "int %s_class(const float *output);", name);
    stoa_c_open(text, "int %s_class(const float *output)", name);
    stoa_c_line(text, "int best = 0;");
    stoa_c_open(text, "for (int i = 1; i < %zu; i++)", s->outputs);
    stoa_c_line(text, "best = output[i] > output[best] ? i : best;");
    stoa_c_close(text);
    stoa_c_line(text, "return best;");
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

static void write_softmax(struct samples *s) {
    struct stoa_c_text *text = s->functions;
    stoa_c_line(text, "float largest = output[0], sum = 0.0F;");
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", s->outputs);
    stoa_c_line(text, "largest = output[i] > largest ? output[i] : largest;");
    stoa_c_close(text);
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", s->outputs);
    stoa_c_line(text, "shares[i] = expf(output[i] - largest);");
    stoa_c_line(text, "sum += shares[i];");
    stoa_c_close(text);
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", s->outputs);
    stoa_c_line(text, "shares[i] /= sum;");
    stoa_c_close(text);
}

/* Probabilities, as the command's: softmax of a class's numbers, unless they are that already. */
static void write_shares(struct samples *s) {
    struct stoa_c_text *text = s->functions;
    const char *name = s->code->name;
    stoa_c_line(s->declarations, "/* The probability of each %s; shares may be output. */",
                s->task == STOA_TASK_MULTILABEL ? "label" : "class");
    stoa_c_line(s->declarations, "void %s_shares(const float *output, float *shares);", name);
    stoa_c_open(text, "void %s_shares(const float *output, float *shares)", name);
    bool labels = s->task == STOA_TASK_MULTILABEL;
    if (labels || s->is_probability) {
        stoa_c_open(text, "for (int i = 0; i < %zu; i++)", s->outputs);
        stoa_c_line(text, "shares[i] = %s;",
                    labels && s->gives_logits ? "1.0F / (1.0F + expf(-output[i]))" : "output[i]");
        stoa_c_close(text);
    } else {
        write_softmax(s);
    }
    stoa_c_close(text);
    stoa_c_line(text, "%s", "");
}

static void write_names(struct samples *s) {
    struct stoa_c_text *text = s->functions;
    const stoa_data_options *options = &s->facts.source.options;
    stoa_c_line(s->declarations, "/* The names of the outputs. */");
    stoa_c_line(s->declarations, "extern const char *const %s_names[%zu];", s->code->name, s->outputs);
    stoa_c_line(text, "const char *const %s_names[%zu] = {", s->code->name, s->outputs);
    for (size_t i = 0; i < s->outputs; i++) {
        stoa_c_print(text, "    ");
        stoa_c_string(text, options->names[i]);
        stoa_c_print(text, ",\n");
    }
    stoa_c_line(text, "};\n");
}

/* ---- all of it ---- */

static void describe_values(const struct samples *s, struct stoa_c_text *text) {
    const char *set = stoa_model_fact(s->code->model, "data.set");
    char number[2][STOA_C_NUMBER];
    stoa_c_print(text, " * Values are as in training");
    if (set) {
        stoa_c_print(text, " (");
        stoa_c_comment(text, set);
        stoa_c_print(text, ")");
    }
    if (s->facts.white > 0) {
        stoa_c_print(text, ": pixels from 0 to %s", stoa_c_number(s->facts.white, number[0]));
    } else if (s->facts.range) {
        stoa_c_print(text, ", where they lay from %s to %s", stoa_c_number(s->facts.range[0], number[0]),
                     stoa_c_number(s->facts.range[1], number[1]));
    }
    stoa_c_print(text, ".\n * %s_prepare() %s.\n", s->code->name,
                 is_scaled(s) ? "takes the mean off and divides by the deviation" : "changes nothing here");
    if (s->facts.source.normalize && s->facts.scales == 0) {
        stoa_c_print(
            text, " * The model was to be normalised by its data, but does not know mean and deviation.\n");
    }
}

static bool ends_in_softmax(const stoa_model *model) {
    return model->node_count > 0 &&
           strcmp(model->nodes[model->node_count - 1].layer.op->name, "softmax") == 0;
}

static void write_all(struct samples *s) {
    describe_values(s, &s->code->file);
    write_prepare(s);
    if (s->is_table) {
        write_fields(s);
    }
    if (s->task == STOA_TASK_CLASSES) {
        write_class(s);
    }
    if (s->task != STOA_TASK_REGRESSION) {
        write_shares(s);
    }
    if (s->facts.target_scales > 0) {
        write_restore(s);
    }
    if (s->facts.source.options.name_count == s->outputs) {
        write_names(s);
    }
}

/* main() reads numbers in text and prints a line a sample. */
static void write_main(const struct samples *s) {
    struct stoa_c_text *text = s->functions;
    const char *name = s->code->name;
    stoa_c_print(text, "#ifdef %s_MAIN\n", s->code->upper);
    stoa_c_open(text, "int main(%s)", s->code->separate ? "int count, char **arguments" : "void");
    stoa_c_line(text, "static float input[%zu], output[%zu];", s->inputs, s->outputs);
    stoa_c_line(text, "int read = 0;");
    if (s->code->separate) {
        stoa_c_line(text, "static float weights[%zu];",
                    s->code->weights + 17); /* one more tells a longer file */
        stoa_c_line(text, "FILE *file = count == 2 ? fopen(arguments[1], \"rb\") : NULL;");
        stoa_c_line(text, "size_t bytes = file ? fread(weights, 1, sizeof weights, file) : 0;");
        stoa_c_open(text, "if (file)");
        stoa_c_line(text, "(void)fclose(file);");
        stoa_c_close(text);
        stoa_c_open(text, "if (%s_init(weights, bytes) != 0)", name);
        stoa_c_line(text, "(void)fprintf(stderr, \"expected the file of the weights as the argument\\n\");");
        stoa_c_line(text, "return 2;");
        stoa_c_close(text);
    }
    stoa_c_open(text, "while (scanf(\"%%f%%*[,; \\t]\", &input[read]) == 1)");
    stoa_c_open(text, "if (++read < %zu)", s->inputs);
    stoa_c_line(text, "continue;");
    stoa_c_close(text);
    stoa_c_line(text, "read = 0;");
    stoa_c_line(text, "%s_prepare(input, input);", name);
    stoa_c_open(text, "if (%s_run(input, output) != 0)", name);
    stoa_c_line(text, "return 1;");
    stoa_c_close(text);
    if (s->facts.target_scales > 0) {
        stoa_c_line(text, "%s_restore(output);", name);
    }
    if (s->task == STOA_TASK_CLASSES) {
        bool named = s->facts.source.options.name_count == s->outputs;
        stoa_c_line(text, "(void)printf(\"%%%s\", %s%s%s_class(output)%s);", named ? "s" : "d",
                    named ? name : "", named ? "_names[" : "", name, named ? "]" : "");
    }
    stoa_c_open(text, "for (int i = 0; i < %zu; i++)", s->outputs);
    stoa_c_line(text, "(void)printf(\" %%.9g\", (double)output[i]);");
    stoa_c_close(text);
    stoa_c_line(text, "(void)printf(\"\\n\");");
    stoa_c_close(text);
    stoa_c_open(text, "if (read != 0 || !feof(stdin))");
    stoa_c_line(text,
                "(void)fprintf(stderr, \"found %%d numbers behind the last sample, expected %zu\\n\", read);",
                s->inputs);
    stoa_c_line(text, "return 2;");
    stoa_c_close(text);
    stoa_c_line(text, "return 0;");
    stoa_c_close(text);
    stoa_c_print(text, "#endif\n");
}

stoa_status stoa_c_write_samples(struct stoa_c *code, struct stoa_c_text *declarations,
                                 struct stoa_c_text *functions) {
    struct samples s = {.code = code,
                        .declarations = declarations,
                        .functions = functions,
                        .inputs = stoa_model_input_size(code->model),
                        .outputs = stoa_model_output_size(code->model)};
    stoa_status status = stoa_data_facts_read(code->context, code->model, &s.facts);
    if (status != STOA_OK) {
        return status;
    }
    const char *loss = stoa_model_fact(code->model, "loss");
    s.task = stoa_task_of(&s.facts.source.options);
    s.gives_logits = loss && strncmp(loss, "bce_with_logits", strlen("bce_with_logits")) == 0;
    s.is_probability = ends_in_softmax(code->model);
    size_t width = 0;
    for (size_t i = 0; i < s.facts.source.options.fitted_count; i++) {
        width += width_of(&s.facts.column[i]);
    }
    s.is_table = width == s.inputs;
    write_all(&s);
    write_main(&s);
    stoa_data_facts_free(&s.facts);
    return STOA_OK;
}
