#include "base/config_syntax.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

enum { SHOWN_MAX = 80 };

/* The line of that number; empty: there is none. */
static struct slice read_line(FILE *file, int number, char **text, size_t *room)
{
    ssize_t size = 0;

    while (number-- > 0 && size >= 0)
        size = getline(text, room, file);
    return size > 0 ? (struct slice){*text, strcspn(*text, "\r\n")}
                    : SLICE_NONE;
}

/* Of a setting that we know, and without a secret on the same line: a value may
 * stand on another line than its name, and a name may be misspelt. */
static bool may_be_shown(const char *line, const struct option_table *tables,
                         size_t table_count)
{
    struct slice word = {line, strcspn(line, " \t=:")};
    bool is_known = false;

    for (size_t i = 0; i < table_count; i++) {
        for (size_t j = 0; j < tables[i].count; j++) {
            const struct option *option = &tables[i].options[j];

            if ((option->flags & OPTION_SECRET) && strstr(line, option->name))
                return false;
            is_known = is_known || slice_is(word, option->name);
        }
    }
    return is_known;
}

static void show_line(const char *path, int number,
                      const struct option_table *tables, size_t table_count,
                      struct buffer *out)
{
    FILE *file = fopen(path, "re");
    char shown[SHOWN_MAX];
    char *text = NULL;
    size_t room = 0;
    struct slice line;

    if (!file)
        return;
    line = read_line(file, number, &text, &room);
    fclose(file);
    for (; line.size && (*line.data == ' ' || *line.data == '\t'); line.size--)
        line.data++;
    if (line.size && may_be_shown(line.data, tables, table_count))
        buffer_appendf(out, " in `%s`",
                       log_printable(line, shown, sizeof(shown)));
    free(text);
}

void config_syntax_explain(const config_t *config,
                           const struct option_table *tables,
                           size_t table_count, struct buffer *out)
{
    const char *file = config_error_file(config);
    const char *what = config_error_text(config);
    int line = config_error_line(config);

    buffer_appendf(out, "%s:%d: %s", file, line, what);
    show_line(file, line, tables, table_count, out);
    if (!strcmp(what, "syntax error"))
        buffer_append_text(out, ": expected `name = value;`, one a line, text "
                                "in double quotes; a quote left open shows "
                                "only further down");
}
