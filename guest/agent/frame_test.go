package agent_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/patchbay/patchbay/guest/agent"
)

func frames() []agent.Frame {
	return []agent.Frame{
		{Kind: agent.KindPing, ID: 1, Body: []byte{}},
		{Kind: agent.KindData, More: true, ID: 0xfffffffe, Body: []byte("abc")},
		{Kind: agent.KindHello, Body: bytes.Repeat([]byte{0xB7, 0x50}, 5000)}, // a body full of magic
		{Kind: agent.KindOutput, ID: 7, Body: make([]byte, agent.MaxBody)},
	}
}

func encode(list []agent.Frame) (b []byte) {
	for _, f := range list {
		b = agent.AppendFrame(b, f)
	}
	return b
}

func readAll(t *testing.T, r io.Reader) (list []agent.Frame, skipped int64) {
	t.Helper()
	fr := agent.NewFrameReader(r)
	for {
		f, err := fr.Next()
		if err == io.EOF {
			return list, fr.Skipped()
		}
		if err != nil {
			t.Fatalf("reading frames: %v", err)
		}
		list = append(list, f)
	}
}

func sameFrames(a, b []agent.Frame) bool {
	return slices.EqualFunc(a, b, func(x, y agent.Frame) bool {
		return x.Kind == y.Kind && x.More == y.More && x.ID == y.ID && bytes.Equal(x.Body, y.Body)
	})
}

func TestFramesSurviveAnyCutting(t *testing.T) {
	want := frames()
	line := encode(want)
	for name, r := range map[string]io.Reader{
		"whole":         bytes.NewReader(line),
		"byte by byte":  iotest.OneByteReader(bytes.NewReader(line)),
		"half reads":    iotest.HalfReader(bytes.NewReader(line)),
		"data with EOF": iotest.DataErrReader(bytes.NewReader(line)),
	} {
		got, skipped := readAll(t, r)
		if !sameFrames(got, want) || skipped != 0 {
			t.Errorf("%s: got %d frames and skipped %d bytes, want %d and 0", name, len(got), skipped, len(want))
		}
	}
}

// What a student writes to the line must cost nothing but itself.
func TestFramesAreFoundBehindGarbage(t *testing.T) {
	ping := agent.Frame{Kind: agent.KindPing, ID: 5, Body: []byte("x")}
	whole := agent.AppendFrame(nil, ping)
	broken := slices.Clone(whole)
	broken[len(broken)-1] ^= 1 // the body's sum is wrong
	long := slices.Clone(whole)
	long[8] = 0xff // an impossible length
	for name, garbage := range map[string][]byte{
		"text":              []byte("hello\n"),
		"magic":             {0xB7, 0xB7, 0x50, 0xB7},
		"half a frame":      whole[:10],
		"a broken body":     broken,
		"a broken header":   long,
		"a header's worth":  bytes.Repeat([]byte{0xB7}, agent.HeaderSize),
		"an end of a frame": whole[3:],
	} {
		line := slices.Concat(whole, garbage, whole, garbage, whole)
		got, skipped := readAll(t, bytes.NewReader(line))
		if !sameFrames(got, []agent.Frame{ping, ping, ping}) {
			t.Errorf("%s: found %d frames, want 3", name, len(got))
		}
		if skipped != int64(2*len(garbage)) {
			t.Errorf("%s: skipped %d bytes, want %d", name, skipped, 2*len(garbage))
		}
	}
}

// A guest that sends frames within frames with wrong sums does not get each of
// them summed up: what a damaged frame held is gone.
func TestDamagedFramesAreSteppedOver(t *testing.T) {
	ping := agent.Frame{Kind: agent.KindPing, ID: 5, Body: []byte("x")}
	whole := agent.AppendFrame(nil, ping)
	damaged := agent.AppendFrame(nil, agent.Frame{Kind: agent.KindData, Body: bytes.Repeat(whole, 100)})
	damaged[12] ^= 1 // the body's sum, and the header's own to go with it
	binary.BigEndian.PutUint32(damaged[16:], crc32.ChecksumIEEE(damaged[:16]))
	got, skipped := readAll(t, bytes.NewReader(slices.Concat(whole, damaged, whole)))
	if !sameFrames(got, []agent.Frame{ping, ping}) || skipped != int64(len(damaged)) {
		t.Errorf("found %d frames and skipped %d bytes, want 2 and %d", len(got), skipped, len(damaged))
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(encode(frames()[:3]))
	f.Add([]byte("no frame at all"))
	f.Add(slices.Concat([]byte{0xB7, 0x50}, encode(frames()[:2])))
	f.Fuzz(func(t *testing.T, line []byte) {
		fr := agent.NewFrameReader(bytes.NewReader(line))
		var used int64
		for {
			got, err := fr.Next()
			if fr.Buffered() > 2*(agent.MaxBody+agent.HeaderSize) {
				t.Fatalf("the reader holds %d bytes", fr.Buffered())
			}
			if err != nil {
				break
			}
			again := agent.AppendFrame(nil, got)
			used += int64(len(again))
			if !bytes.Contains(line, again[4:]) { // flags' spare bits are not kept
				t.Fatalf("frame %+v was not on the line", got)
			}
		}
		if used+fr.Skipped() > int64(len(line)) {
			t.Fatalf("%d bytes in frames and %d skipped, of %d", used, fr.Skipped(), len(line))
		}
	})
}
