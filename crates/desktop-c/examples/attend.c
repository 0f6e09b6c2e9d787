/* A program with unsaved work: an update waits for it.
 *
 *   cc attend.c -I../include -L<directory of the library> -lobnova_desktop_c -o attend && ./attend <root>
 *
 * It "edits" until a line comes from the terminal, which saves; then it ends as soon as an update wants it to. */
#include <poll.h>
#include <stdio.h>

#include "obnova_desktop.h"

/* Waits a second for a line. */
static int is_saved(void) {
    struct pollfd input = {0, POLLIN, 0};
    return poll(&input, 1, 1000) > 0 && getchar() != EOF;
}

int main(int count, char **arguments) {
    obnova_desktop *desktop = NULL;
    char *text = NULL;
    int saved = 0;

    if (obnova_desktop_open(count > 1 ? arguments[1] : NULL, "en", &desktop, &text) != 0 ||
        obnova_desktop_attend(desktop, &text) != 0 ||
        obnova_desktop_hold(desktop, "The offer for Nov\xc3\xa1k has not been saved.", &text) != 0) {
        printf("%s\n", text);
        obnova_desktop_free(text);
        return 1;
    }
    obnova_desktop_free(text);
    printf("editing\n");
    fflush(stdout);
    for (;;) {
        int asked = obnova_desktop_is_asked_to_close(desktop);
        if (!saved && is_saved()) {
            saved = 1;
            obnova_desktop_hold(desktop, NULL, NULL);
            printf(asked ? "saved as asked\n" : "saved\n");
            fflush(stdout);
        } else if (saved && asked) {
            break;
        } else if (saved) {
            poll(NULL, 0, 100);
        }
    }
    obnova_desktop_close(desktop);
    printf("closed\n");
    return 0;
}
