/* SPDX-License-Identifier: MIT */
/* What separates the fields of a table, and what stands before the fraction of its numbers: found from the
 * text, without memory, before it is read. */
#include <ctype.h>
#include <string.h>

#include "base/number.h"
#include "data/csv.h"

/* Lines that tell what separates their fields. */
enum { LINES = 64 };

static const char separators[] = {',', ';', '\t'};
enum { SEPARATORS = sizeof separators };

/* How often each separator stands in the first lines, outside of quotes. */
struct counts {
    size_t first[SEPARATORS]; /* in the first line */
    bool steady[SEPARATORS];  /* in every line as often as there, and once at least */
};

/* Count in the line that begins at `at`; returns where the next one does. */
static const char *count_line(const char *at, const char *end, size_t count[SEPARATORS], bool *empty) {
    bool quoted = false;
    *empty = true;
    memset(count, 0, SEPARATORS * sizeof *count);
    for (; at < end && (quoted || *at != '\n'); at++) {
        quoted = quoted != (*at == '"');
        *empty = *empty && memchr(" \t\r", *at, 3);
        for (size_t i = 0; i < SEPARATORS && !quoted; i++) {
            count[i] += *at == separators[i];
        }
    }
    return at < end ? at + 1 : end;
}

static struct counts count_separators(const char *at, const char *end) {
    struct counts counts = {.steady = {true, true, true}};
    size_t count[SEPARATORS], lines = 0;
    while (at < end && lines < LINES) {
        bool empty;
        at = count_line(at, end, count, &empty);
        for (size_t i = 0; i < SEPARATORS && !empty; i++) {
            counts.first[i] = lines == 0 ? count[i] : counts.first[i];
            counts.steady[i] = counts.steady[i] && count[i] > 0 && count[i] == counts.first[i];
        }
        lines += !empty;
    }
    return counts;
}

/* The first separator that every line has as often, else the first that the first line has. */
static char choose(const struct counts *counts) {
    for (size_t i = 0; i < SEPARATORS; i++) {
        if (counts->steady[i]) {
            return separators[i];
        }
    }
    for (size_t i = 0; i < SEPARATORS; i++) {
        if (counts->first[i] > 0) {
            return separators[i];
        }
    }
    return ',';
}

/* ---- decimal commas ---- */

/* What the fields of a table say of commas within numbers. */
struct commas {
    size_t fields;  /* that have a comma outside of quotes, or within them */
    size_t numbers; /* of these: which are numbers where it is read as a point */
    size_t certain; /* of these: which can be no groups of three digits, as in 12,345 */
    bool points;    /* there are numbers with a point */
};

/* The number of a field in which a comma stands for the point. */
static bool read_comma(const char *text, size_t length, double *value) {
    enum { MOST = 64 };
    char point[MOST];
    const char *comma = memchr(text, ',', length);
    if (!comma || length >= MOST || comma == text || !isdigit((unsigned char)comma[-1])) {
        return false;
    }
    memcpy(point, text, length);
    point[comma - text] = '.';
    bool digit = comma + 1 < text + length && isdigit((unsigned char)comma[1]);
    return digit && !memchr(text, '.', length) && stoa_parse_double(point, length, value);
}

/* Whether the comma of such a number is no mark between thousands. */
static bool is_certain(const char *text, size_t length) {
    const char *comma = memchr(text, ',', length), *end = text + length;
    size_t before = 0, behind = 0;
    while (comma - before > text && isdigit((unsigned char)comma[-1 - (ptrdiff_t)before])) {
        before++;
    }
    while (comma + 1 + behind < end && isdigit((unsigned char)comma[1 + behind])) {
        behind++;
    }
    return behind != 3 || before > 3 || comma[-(ptrdiff_t)before] == '0';
}

static void look_at_field(struct commas *commas, const char *text, size_t length) {
    double value;
    while (length > 0 && strchr(" \t\r", text[length - 1])) {
        length--;
    }
    while (length > 0 && strchr(" \t", *text)) {
        text++;
        length--;
    }
    if (length > 1 && text[0] == '"' && text[length - 1] == '"') {
        text++;
        length -= 2;
    }
    if (length > 0 && memchr(text, ',', length)) {
        commas->fields++;
        if (read_comma(text, length, &value)) {
            commas->numbers++;
            commas->certain += is_certain(text, length);
        }
    } else if (length > 0 && memchr(text, '.', length)) {
        commas->points = commas->points || stoa_parse_double(text, length, &value);
    }
}

/* Every field of up to `lines` lines. */
static struct commas look_at_commas(const char *at, const char *end, char separator, size_t lines) {
    struct commas commas = {.fields = 0};
    const char *field = at;
    bool quoted = false;
    for (; at < end && lines > 0; at++) {
        if (!quoted && (*at == separator || *at == '\n')) {
            look_at_field(&commas, field, (size_t)(at - field));
            field = at + 1;
            lines -= *at == '\n';
        }
        quoted = quoted != (*at == '"');
    }
    if (lines > 0) {
        look_at_field(&commas, field, (size_t)(end - field));
    }
    return commas;
}

/* Commas are decimal ones where one of them can be nothing else, and no number has a point. */
static bool are_decimal(const struct commas *commas) {
    return commas->certain > 0 && !commas->points;
}

void stoa_csv_look(struct stoa_csv *csv) {
    struct counts counts = count_separators(csv->at, csv->end);
    csv->separator = choose(&counts);
    csv->decimal = '.';
    if (csv->at == csv->end) {
        return;
    }
    for (size_t i = 1; i < SEPARATORS && csv->separator == ','; i++) {
        /* Both are steady in lines such as 1,5;2,5, whose commas all lie within numbers. */
        if (counts.steady[i]) {
            struct commas inner = look_at_commas(csv->at, csv->end, separators[i], LINES);
            csv->separator =
                inner.fields > 0 && inner.fields == inner.numbers ? separators[i] : csv->separator;
        }
    }
    bool within = csv->separator != ',' || memchr(csv->at, '"', (size_t)(csv->end - csv->at));
    if (within && memchr(csv->at, ',', (size_t)(csv->end - csv->at))) {
        struct commas all = look_at_commas(csv->at, csv->end, csv->separator, SIZE_MAX);
        csv->decimal = are_decimal(&all) ? ',' : '.';
    }
}

bool stoa_csv_number(const struct stoa_csv *csv, const struct stoa_csv_field *field, double *value) {
    return stoa_parse_double(field->text, field->length, value) ||
           (csv->decimal == ',' && read_comma(field->text, field->length, value));
}

const char *stoa_csv_doubt(const struct stoa_csv_field *field) {
    double value;
    return !read_comma(field->text, field->length, &value) ? NULL
           : is_certain(field->text, field->length)
               ? ", with a point, as other numbers of this table have it"
               : ", with a point: the comma may be that, or a mark between thousands";
}
