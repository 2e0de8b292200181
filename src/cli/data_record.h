/* SPDX-License-Identifier: MIT */
/* Data as a run and `stoa data` describe them: where they are, what they hold, and whether they are still the
 * same. */
#ifndef STOA_CLI_DATA_RECORD_H
#define STOA_CLI_DATA_RECORD_H

#include <jansson.h>

#include "cli/open.h"

/* The data that a model is trained with as JSON, in `*json`, and as facts of the model: "data.parts", the
 * samples of both parts, "data.checksum" of each, and "data.notes", what was left out or converted. CLI_DONE,
 * or another code with the sentence printed. */
int cli_data_record(const struct cli_subject *subject, const stoa_dataset *train, const stoa_dataset *test,
                    const char *path, json_t **json);

/* Whether the test part at `path` is the one that the model was trained beside, in *same; true where the
 * model does not know. Where it is another, a note says so. CLI_DONE, or another code with the sentence
 * printed. */
int cli_data_compare(const struct cli_subject *subject, const stoa_dataset *test, const char *path,
                     bool *same);

/* What the library has said of the data, an array of texts. */
json_t *cli_data_notes(const struct cli_subject *subject);
/* What a data set holds, without its samples: count, shape, type. */
json_t *cli_data_part(const stoa_dataset *part);
/* Add what both parts share: format, classes with their names, columns and label. */
void cli_data_describe(json_t *json, const stoa_dataset *data);

#endif
