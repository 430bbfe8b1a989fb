/* Makes the user32 calls that C# programs make to find each other's windows and to exchange messages, as a peer to try
 * Quintet against.
 *
 *   win32_window serve    has a top-level window, of which the first two lines of its standard input are the title and the class
 *   win32_window send     finds one, and does what the lines of its standard input say; answers each with a line
 *
 *   find title TITLE, find class CLASS  found or none
 *   find main                           the same, of the main window of the process whose window was found before
 *   send N WPARAM LPARAM                SendMessage of WM_USER + N: the result
 *   text ENCODING TEXT                  SendMessage of WM_COPYDATA with the text and its NUL: the result
 *   post N WPARAM LPARAM                PostMessage of WM_USER + N: done
 *   broadcast NAME WPARAM LPARAM        PostMessage of a registered message to HWND_BROADCAST: done
 *   close                               PostMessage of WM_CLOSE: done
 *
 * What is served is written in a line each: "posted N WPARAM LPARAM", "NAME WPARAM LPARAM" of the registered message,
 * "ENCODING TEXT" of WM_COPYDATA, of which the result is 0 for ANSI, as in the notes that C# programs follow, and else
 * the count of bytes. That of WM_USER + N is WPARAM + LPARAM. All that is read and written is UTF-8.
 *
 * A call that fails is answered with "error" and GetLastError's number.
 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "win32_answers.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What dwData says; 100 is the notes' number. */
enum { ANSI = 100, UTF8 = 101, UTF16 = 102 };

static const struct {
    const char *name;
    ULONG_PTR id;
    UINT code_page;
} encodings[] = { { "ansi", ANSI, CP_ACP }, { "utf8", UTF8, CP_UTF8 }, { "utf16", UTF16, 0 } };

static const char broadcast_name[] = "Quintet.Interop";
static UINT broadcast_number;
static HWND window;

static void answer_number(LONG_PTR number)
{
    printf("%lld\n", (long long)number);
    fflush(stdout);
}

static const wchar_t *wide(const char *text)
{
    static wchar_t buffer[500];

    MultiByteToWideChar(CP_UTF8, 0, text, -1, buffer, 500);
    return buffer;
}

static void write_text(const char *encoding, const wchar_t *text)
{
    char bytes[2000];

    WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof bytes, NULL, NULL);
    printf("%s %s\n", encoding, bytes);
    fflush(stdout);
}

static LRESULT copy_data(const COPYDATASTRUCT *data)
{
    wchar_t text[500];
    size_t which;

    for (which = 0; which < sizeof encodings / sizeof *encodings; which++) {
        if (encodings[which].id != data->dwData)
            continue;
        /* To the NUL, as .NET's marshalling reads it. */
        if (data->dwData == UTF16)
            write_text(encodings[which].name, data->lpData);
        else {
            MultiByteToWideChar(encodings[which].code_page, 0, data->lpData, -1, text, 500);
            write_text(encodings[which].name, text);
        }
        return data->dwData == ANSI ? 0 : (LRESULT)data->cbData;
    }
    return -1;
}

static LRESULT CALLBACK procedure(HWND hwnd, UINT number, WPARAM wparam, LPARAM lparam)
{
    if (number == WM_COPYDATA)
        return copy_data((const COPYDATASTRUCT *)lparam);
    if (number == WM_DESTROY) {
        PostQuitMessage(0);
        return 0;
    }
    if (number == broadcast_number) {
        printf("%s %lld %lld\n", broadcast_name, (long long)wparam, (long long)lparam);
        fflush(stdout);
        return 0;
    }
    if (number >= WM_USER && number < WM_USER + 100) {
        if (!InSendMessage()) {
            printf("posted %u %lld %lld\n", number - WM_USER, (long long)wparam, (long long)lparam);
            fflush(stdout);
        }
        return (LRESULT)wparam + lparam;
    }
    return DefWindowProcW(hwnd, number, wparam, lparam);
}

static BOOL read_line(char *line, int size)
{
    if (!fgets(line, size, stdin))
        return FALSE;
    line[strcspn(line, "\n")] = 0;
    return TRUE;
}

static int serve(void)
{
    char title[200] = "", class[200] = "";
    WNDCLASSEXW description = { .cbSize = sizeof description, .lpfnWndProc = procedure };
    wchar_t class_text[200];
    MSG message;

    if (!read_line(title, sizeof title) || !read_line(class, sizeof class))
        refuse("no title and class");
    wcsncpy(class_text, wide(class), 199);
    description.hInstance = GetModuleHandleW(NULL);
    description.lpszClassName = class_text;
    RegisterClassExW(&description);
    window = CreateWindowExW(0, class_text, wide(title), WS_OVERLAPPEDWINDOW | WS_VISIBLE, 0, 0, 100, 100, NULL, NULL,
                             description.hInstance, NULL);
    if (!window) {
        fprintf(stderr, "CreateWindowEx: error %lu\n", GetLastError());
        return 1;
    }
    fprintf(stderr, "ready\n");
    fflush(stderr);
    while (GetMessageW(&message, NULL, 0, 0) > 0)
        DispatchMessageW(&message);
    return 0;
}

static void send_text(const char *encoding, const char *text)
{
    COPYDATASTRUCT data;
    char bytes[2000];
    size_t which;

    for (which = 0; which < sizeof encodings / sizeof *encodings; which++) {
        if (strcmp(encodings[which].name, encoding) != 0)
            continue;
        data.dwData = encodings[which].id;
        if (data.dwData == UTF16) {
            data.lpData = (void *)wide(text);
            data.cbData = (DWORD)(wcslen(wide(text)) + 1) * 2;
        } else {
            WideCharToMultiByte(encodings[which].code_page, 0, wide(text), -1, bytes, sizeof bytes, NULL, NULL);
            data.lpData = bytes;
            data.cbData = (DWORD)strlen(bytes) + 1;
        }
        answer_number(SendMessageW(window, WM_COPYDATA, 0, (LPARAM)&data));
        return;
    }
    refuse(encoding);
}

/* The first that is visible and nobody's: what .NET calls the main window. */
static BOOL CALLBACK is_main(HWND hwnd, LPARAM pid)
{
    DWORD owner;

    GetWindowThreadProcessId(hwnd, &owner);
    if (owner != (DWORD)pid || GetWindow(hwnd, GW_OWNER) || !IsWindowVisible(hwnd))
        return TRUE;
    window = hwnd;
    return FALSE;
}

static void obey(char *line)
{
    char name[100];
    unsigned number;
    long long wparam, lparam;
    DWORD pid = 0;

    if (strncmp(line, "find title ", 11) == 0) {
        window = FindWindowW(NULL, wide(line + 11));
        answer(window ? "found" : "none");
    } else if (strncmp(line, "find class ", 11) == 0) {
        window = FindWindowW(wide(line + 11), NULL);
        answer(window ? "found" : "none");
    } else if (strcmp(line, "find main") == 0) {
        GetWindowThreadProcessId(window, &pid);
        window = NULL;
        EnumWindows(is_main, (LPARAM)pid);
        answer(window ? "found" : "none");
    } else if (sscanf(line, "send %u %lld %lld", &number, &wparam, &lparam) == 3)
        answer_number(SendMessageW(window, WM_USER + number, (WPARAM)wparam, (LPARAM)lparam));
    else if (sscanf(line, "text %99s", name) == 1 && strchr(line + 5, ' '))
        send_text(name, strchr(line + 5, ' ') + 1);
    else if (sscanf(line, "post %u %lld %lld", &number, &wparam, &lparam) == 3)
        answer_done(PostMessageW(window, WM_USER + number, (WPARAM)wparam, (LPARAM)lparam));
    else if (sscanf(line, "broadcast %99s %lld %lld", name, &wparam, &lparam) == 3)
        answer_done(PostMessageW(HWND_BROADCAST, RegisterWindowMessageW(wide(name)), (WPARAM)wparam,
                                 (LPARAM)lparam));
    else if (strcmp(line, "close") == 0)
        answer_done(PostMessageW(window, WM_CLOSE, 0, 0));
    else
        refuse(line);
}

int main(int argc, char **argv)
{
    char line[1000];

    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    broadcast_number = RegisterWindowMessageA(broadcast_name);
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return serve();
    if (argc != 2 || strcmp(argv[1], "send") != 0) {
        fprintf(stderr, "usage: win32_window serve|send\n");
        return 2;
    }
    while (read_line(line, sizeof line))
        obey(line);
    return 0;
}
