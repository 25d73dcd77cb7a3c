package offload_test

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/patchbay/patchbay/vnet/offload"
)

func TestParse(t *testing.T) {
	b := []byte{1, 0x84, 0x02, 0x01, 0x04, 0x03, 0x06, 0x05, 0x08, 0x07, 0xff}
	h, err := offload.Parse(b)
	want := offload.Header{Flags: 1, GSOType: 0x84, HdrLen: 0x102, GSOSize: 0x304, CsumStart: 0x506, CsumOffset: 0x708}
	if err != nil || h != want {
		t.Errorf("Parse = %+v, %v; want %+v", h, err, want)
	}
	out := make([]byte, offload.Size)
	h.Put(out)
	if !bytes.Equal(out, b[:offload.Size]) {
		t.Errorf("Put wrote %x; want %x", out, b[:offload.Size])
	}
	if _, err := offload.Parse(b[:9]); err == nil {
		t.Error("nine bytes were parsed")
	}
}

func TestCheck(t *testing.T) {
	tcp4, super := flow{}.super(t, piece{payload: payload(5000)}, 1460)
	udp6, datagrams := flow{udp: true, v6: true}.super(t, piece{payload: payload(5000)}, 1000)
	with := func(h offload.Header, f func(*offload.Header)) offload.Header {
		f(&h)
		return h
	}
	for _, tt := range []struct {
		name  string
		h     offload.Header
		frame []byte
		want  string // empty: good
	}{
		{"nothing asked", offload.Header{}, make([]byte, 14), ""},
		{"verified", offload.Header{Flags: offload.DataValid, CsumStart: 9999}, make([]byte, 14), ""},
		{"tcp4", tcp4, super, ""},
		{"tcp4 with ECN", with(tcp4, func(h *offload.Header) { h.GSOType |= offload.GSOECN }), super, ""},
		{"udp6", udp6, datagrams, ""},
		{"checksum up to the end", offload.Header{Flags: 1, CsumStart: 50, CsumOffset: 12}, make([]byte, 64), ""},
		{"unknown flag", offload.Header{Flags: 4}, super, "unknown flags"},
		{"unknown type", with(tcp4, func(h *offload.Header) { h.GSOType = 7 }), super, "unknown segmentation type 7"},
		{"UFO", with(tcp4, func(h *offload.Header) { h.GSOType = 3 }), super, "unknown segmentation type 3"},
		{"ECN alone", with(tcp4, func(h *offload.Header) { h.GSOType = 0x80 }), super, "unknown segmentation type 128"},
		{"UDP with ECN", with(udp6, func(h *offload.Header) { h.GSOType |= 0x80 }), datagrams, "the frame is not what the segmentation type says"},
		{"checksum beyond the end", offload.Header{Flags: 1, CsumStart: 50, CsumOffset: 13}, make([]byte, 64), "the checksum lies outside the frame"},
		{"checksum far beyond", offload.Header{Flags: 1, CsumStart: 0xffff, CsumOffset: 0xffff}, make([]byte, 64), "the checksum lies outside the frame"},
		{"checksum in the addresses", offload.Header{Flags: 1, CsumStart: 13}, make([]byte, 64), "the checksum lies outside the frame"},
		{"no checksum", with(tcp4, func(h *offload.Header) { h.Flags = 0 }), super, "segmentation without a checksum to complete"},
		{"no size", with(tcp4, func(h *offload.Header) { h.GSOSize = 0 }), super, "segments of no size"},
		{"tiny pieces", with(tcp4, func(h *offload.Header) { h.GSOSize = 2 }), super, "too many segments"},
		{"v4 for v6", with(udp6, func(h *offload.Header) { h.GSOType, h.CsumOffset = 1, 16 }), datagrams, "the frame is not what the segmentation type says"},
		{"v6 for v4", with(tcp4, func(h *offload.Header) { h.GSOType = 4 }), super, "the frame is not what the segmentation type says"},
		{"another start", with(tcp4, func(h *offload.Header) { h.CsumStart += 2 }), super, "the frame is not what the segmentation type says"},
		{"another place", with(tcp4, func(h *offload.Header) { h.CsumOffset = 6 }), super, "the frame is not what the segmentation type says"},
		{"cut short", tcp4, super[:14+20+19], "the frame is not what the segmentation type says"},
		{"tags all the way", tcp4, bytes.Repeat([]byte{0x81, 0}, 100), "the frame is not what the segmentation type says"},
	} {
		err := tt.h.Check(tt.frame)
		if got := errText(err); got != tt.want {
			t.Errorf("%s: Check = %q; want %q", tt.name, got, tt.want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestShift(t *testing.T) {
	plain, tagged := flow{}, flow{tags: []layers.EthernetType{0x8100}}
	p := piece{payload: payload(5000)}
	h, _ := plain.super(t, p, 1460)
	h.HdrLen = 54
	want, _ := tagged.super(t, p, 1460)
	want.HdrLen = 58
	if got := h.Shift(4); got != want {
		t.Errorf("Shift(4) = %+v; want %+v", got, want)
	}
	if got := want.Shift(-4); got != h {
		t.Errorf("Shift(-4) = %+v; want %+v", got, h)
	}
	if got := (offload.Header{}).Shift(4); got != (offload.Header{}) {
		t.Errorf("Shift of nothing = %+v", got)
	}
}

// Whatever a guest writes before whatever frame: what passes Check can be cut,
// the pieces hold what the frame held, and each has the checksums it should.
func FuzzSegments(f *testing.F) {
	for _, fl := range []flow{{}, {v6: true}, {udp: true}, {tags: []layers.EthernetType{0x8100}, options: 12}} {
		for _, size := range []int{0, 64} {
			h, b := fl.super(f, piece{payload: payload(300)}, size)
			in := make([]byte, offload.Size)
			h.Put(in)
			f.Add(append(in, b...))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := offload.Parse(in)
		if err != nil {
			return
		}
		frame := in[offload.Size:]
		before := bytes.Clone(frame)
		n, total := 0, 0
		err = offload.Segments(h, frame, make([]byte, len(frame)), func(b []byte) {
			n++
			total += len(b)
			if h.GSO() {
				verify(t, b)
			}
		})
		if !bytes.Equal(frame, before) {
			t.Fatal("the frame was changed")
		}
		if check := h.Check(frame); (check == nil) != (err == nil) {
			t.Fatalf("Check = %v, Segments = %v", check, err)
		}
		if err != nil {
			return
		}
		var c offload.Cutter
		head := 0
		if h.GSO() {
			if err := c.Start(h, frame); err != nil {
				t.Fatal(err)
			}
			head = c.Head()
		}
		if h.GSO() {
			if pn, ph := h.Pieces(frame); pn != n || ph != head {
				t.Fatalf("Pieces = %d, %d; want %d, %d", pn, ph, n, head)
			}
		}
		if n < 1 || n > offload.MaxSegments || total != len(frame)+(n-1)*head {
			t.Fatalf("%d pieces of together %d bytes from %d, %d of them headers", n, total, len(frame), head)
		}
	})
}

// verify has gopacket look at the IPv4 header's checksum. The transport's
// depends on a pseudo-header that the input may have got wrong.
func verify(t *testing.T, b []byte) {
	t.Helper()
	p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.NoCopy)
	if ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
		if err, r := ip.VerifyChecksum(); err == nil && !r.Valid {
			t.Fatalf("checksum of the header %x = %#x; want %#x", ip.Contents, r.Actual, r.Correct)
		}
	}
}

func BenchmarkSegments(b *testing.B) {
	for _, fl := range []struct {
		name string
		flow flow
	}{{"tcp4", flow{}}, {"tcp6", flow{v6: true}}} {
		h, super := fl.flow.super(b, piece{payload: payload(64000)}, 1448)
		b.Run(fl.name+"/cut", func(b *testing.B) {
			head := make([]byte, offload.MaxHead)
			b.SetBytes(int64(len(super)))
			b.ReportAllocs()
			for b.Loop() {
				var c offload.Cutter
				if err := c.Start(h, super); err != nil {
					b.Fatal(err)
				}
				for ok := true; ok; {
					_, ok = c.Next(head)
				}
			}
		})
		b.Run(fl.name+"/copy", func(b *testing.B) {
			scratch := make([]byte, len(super))
			b.SetBytes(int64(len(super)))
			b.ReportAllocs()
			for b.Loop() {
				if err := offload.Segments(h, super, scratch, func([]byte) {}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	h, frame := flow{}.super(b, piece{payload: payload(1460)}, 0)
	b.Run("complete", func(b *testing.B) {
		b.SetBytes(int64(len(frame)))
		for b.Loop() {
			h.Complete(frame)
		}
	})
}
