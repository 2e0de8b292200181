/* SPDX-License-Identifier: MIT */
/* What a run has said of itself, to be read again: see run_said.h. Public headers only. */
#include "cli/run_said.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_files.h"
#include "cli/whole_file.h"

char *cli_recipe_in_force(const stoa_recipe *recipe) {
    char *text = cli_text("%s\n# Not said above, so that this holds:\n", stoa_recipe_text(recipe));
    stoa_recipe_key key;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        bool said = false;
        const char *value = stoa_recipe_value(recipe, &key, &said);
        if (*key.section && !said) {
            char *longer =
                cli_text("%s# %s.%s = %s\n", text, key.section, key.name, *value ? value : "(none)");
            free(text);
            text = longer;
        }
    }
    return text;
}

char *cli_run_of(const char *model) {
    static const char name[] = "/" CLI_RUN_MODEL;
    size_t length = strlen(model), tail = sizeof name - 1;
    if (strcmp(model, CLI_RUN_MODEL) == 0) {
        return cli_text(".");
    }
    bool inside = length > tail && strcmp(model + length - tail, name) == 0;
    return inside ? cli_text("%.*s", (int)(length - tail), model) : NULL;
}

json_t *cli_record_read(const char *folder) {
    char *path = cli_text("%s/" CLI_RUN_RECORD, folder);
    char *text = cli_is_regular(path) ? cli_read_text(path) : NULL;
    if (!text && cli_is_regular(path)) {
        cli_end(cli_fail(CLI_FAILED, "%s: cannot read: %s", path, strerror(errno)));
    }
    cli_json_begin_reading();
    json_t *json = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    cli_json_end_reading();
    free(text);
    free(path);
    if (json_integer_value(json_object_get(json, "version")) != CLI_RECORD_VERSION) {
        json_decref(json);
        return NULL;
    }
    return json;
}
