/* A program that keeps itself at the version that its server needs.
 *
 *   cc follow.c -I../include -L<directory of the library> -lobnova_desktop_c -o follow && ./follow <root> */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "obnova_desktop.h"

static void show(void *context, uint64_t done, uint64_t total) {
    *(uint64_t *)context = done;
    printf("%" PRIu64 " of %" PRIu64 "\n", done, total);
}

/* Prints what a call said and frees it; gives the call's result. The call comes before: C may look at text first. */
static int say(const char *call, int result, char **text) {
    printf("%s: %d %s\n", call, result, *text ? *text : "");
    obnova_desktop_free(*text);
    *text = NULL;
    return result;
}

int main(int count, char **arguments) {
    obnova_desktop *desktop = NULL;
    char *text = NULL;
    uint64_t downloaded = 0;
    int result, wanted;

    result = obnova_desktop_open(count > 1 ? arguments[1] : NULL, "en", &desktop, &text);
    if (say("open", result, &text) != 0)
        return 1;
    /* First thing: this version works. */
    result = obnova_desktop_confirm(desktop, NULL, &text);
    say("confirm", result, &text);
    result = obnova_desktop_check(desktop, &text);
    wanted = result == 0 && strstr(text, "\"wanted\":null") == NULL;
    say("check", result, &text);
    if (wanted) {
        result = obnova_desktop_download(desktop, show, &downloaded, &text);
        if (say("download", result, &text) == 0) {
            result = obnova_desktop_stage(desktop, &text);
            if (say("stage", result, &text) == 0) {
                result = obnova_desktop_apply(desktop, 0, &text);
                say("apply", result, &text);
            }
        }
    }
    result = obnova_desktop_status(desktop, &text);
    say("status", result, &text);
    obnova_desktop_close(desktop);
    return result;
}
