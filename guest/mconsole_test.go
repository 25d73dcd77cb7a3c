package guest_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/guest"
)

func header(words ...uint32) []byte {
	var b []byte
	for _, w := range words {
		b = binary.NativeEndian.AppendUint32(b, w)
	}
	return b
}

func TestParseReply(t *testing.T) {
	tests := []struct {
		name         string
		in           []byte
		failed, more bool
		text         string
		err          string
	}{
		{name: "an answer", in: append(header(0, 0, 3), "ok\x00"...), text: "ok"},
		{name: "a refusal", in: append(header(1, 0, 4), "no!\x00"...), failed: true, text: "no!"},
		{name: "a part", in: append(header(0, 1, 2), "a\x00"...), more: true, text: "a"},
		{name: "nothing but a header", in: header(0, 0, 0)},
		{name: "no header", in: []byte("short"), err: "fewer than a header"},
		{name: "more announced than sent", in: append(header(0, 0, 100), "ok"...), err: "announced 100"},
		{name: "more announced than fits", in: append(header(0, 0, 0xffffffff), make([]byte, 512)...), err: "announced"},
		{name: "text beyond the zero byte", in: append(header(0, 0, 6), "ok\x00bad"...), text: "ok"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			failed, more, text, err := guest.ParseReply(tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || failed != tt.failed || more != tt.more || string(text) != tt.text {
				t.Errorf("got %v %v %q %v", failed, more, text, err)
			}
		})
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add(append(header(0, 0, 3), "ok\x00"...))
	f.Add(header(0, 1, 0xffffffff))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, text, err := guest.ParseReply(b)
		if err == nil && (len(text) > guest.MconsoleText || !bytes.Contains(b, text) || bytes.IndexByte(text, 0) >= 0) {
			t.Errorf("%d bytes of text from %d", len(text), len(b))
		}
	})
}

func TestParseNotification(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		kind uint32
		text string
		err  string
	}{
		{name: "a panic", in: append(header(0xcafebabe, 2, 1, 5), "help\x00"...), kind: 1, text: "help"},
		{name: "another magic", in: append(header(1, 2, 1, 5), "help\x00"...), err: "begins with 0x1"},
		{name: "another version", in: append(header(0xcafebabe, 3, 1, 5), "help\x00"...), err: "version 3"},
		{name: "too short", in: header(0xcafebabe, 2, 1), err: "shorter"},
		{name: "more announced than sent", in: append(header(0xcafebabe, 2, 1, 500), "help\x00"...), err: "announces 500"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kind, text, err := guest.ParseNotification(tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || kind != tt.kind || string(text) != tt.text {
				t.Errorf("got %d %q %v", kind, text, err)
			}
		})
	}
}

func FuzzParseNotification(f *testing.F) {
	f.Add(append(header(0xcafebabe, 2, 1, 5), "help\x00"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, text, err := guest.ParseNotification(b)
		if err == nil && (len(text) > guest.MconsoleText || !bytes.Contains(b, text)) {
			t.Errorf("%d bytes of text from %d", len(text), len(b))
		}
	})
}

func TestMconsoleRequest(t *testing.T) {
	for _, bad := range []string{"", strings.Repeat("x", 512), "stop\x00go", "stop\ngo"} {
		if b, err := guest.MconsoleRequest(bad); err == nil {
			t.Errorf("%q became %d bytes", bad, len(b))
		}
	}
	b, err := guest.MconsoleRequest("version")
	if err != nil {
		t.Fatal(err)
	}
	if want := append(header(0xcafebabe, 2, 7), "version\x00"...); !bytes.HasPrefix(b, want) || len(b) != 12+512 {
		t.Errorf("got % x", b)
	}
}
