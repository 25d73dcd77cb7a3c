package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/guest/agent"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/vnet/filter"
	"github.com/patchbay/patchbay/vnet/record"
)

// echo is an ICMP echo request or answer as a frame carries it.
type echo struct {
	answer         bool
	src, dst       netip.Addr
	srcMAC, dstMAC string
	id, seq        uint16
	data           []byte // the frame's
}

// parseEcho reads one; frames that are none, or are cut, are not ok.
func parseEcho(b []byte) (e echo, ok bool) {
	if len(b) < 14 {
		return e, false
	}
	e.dstMAC, e.srcMAC = net.HardwareAddr(b[0:6]).String(), net.HardwareAddr(b[6:12]).String()
	kind := binary.BigEndian.Uint16(b[12:])
	for b = b[14:]; kind == 0x8100 || kind == 0x88a8; b = b[4:] {
		if len(b) < 4 {
			return e, false
		}
		kind = binary.BigEndian.Uint16(b[2:])
	}
	var request, answer byte
	switch {
	case kind == 0x0800 && len(b) >= 20 && b[0]>>4 == 4 && b[9] == 1:
		size, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if size < 20 || total < size || total > len(b) || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return e, false // a fragment tells nothing
		}
		e.src, e.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		b, request, answer = b[size:total], 8, 0
	case kind == 0x86dd && len(b) >= 40 && b[0]>>4 == 6 && b[6] == 58:
		total := 40 + int(binary.BigEndian.Uint16(b[4:]))
		if total > len(b) {
			return e, false
		}
		e.src, e.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		b, request, answer = b[40:total], 128, 129
	default:
		return e, false
	}
	if len(b) < 8 || b[0] != request && b[0] != answer {
		return e, false
	}
	e.answer = b[0] == answer
	e.id, e.seq, e.data = binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]), b[8:]
	return e, true
}

// carries says whether the data is filled with a pattern, whatever its phase,
// from where ping's own time stamp ends.
func (e *echo) carries(pattern []byte) bool {
	if len(e.data) < 16+2*len(pattern) {
		return false
	}
	twice := slices.Concat(pattern, pattern)
	return bytes.Contains(twice, e.data[16:16+len(pattern)]) &&
		bytes.Equal(e.data[16:16+len(pattern)], e.data[16+len(pattern):16+2*len(pattern)])
}

// How far a request of a node's ping has come. Each step must be seen before
// the next counts.
const (
	left    = iota + 1 // the pinging node's port
	arrived            // at the port of who is to answer
	answered
	returned
)

// journey is what became of one request.
type journey struct {
	step int
	at   echo // the request as it left
	far  echo // the request as it arrived
}

// evalNodePing has a node ping and believes the switch alone: the request has
// to leave the node's port, arrive at the port of who is to answer, and the
// answer to leave that and come back. Each try has data of its own, which no
// replay knows. A listener in the node itself sends nothing, and another
// machine's answer comes from another port.
func evalNodePing(ctx context.Context, t Target, k *grade.Ping) (verdict, error) {
	near := portsOf(t, k.From)
	who := answererOf(t, k.By, k.To)
	if who == nil {
		return verdict{}, fmt.Errorf("the lab gives %s to no interface, so the check has to say “by: NODE” of who is to answer", k.To)
	}
	by, far := who.name, who.ports
	if len(near) == 0 || len(far) == 0 {
		return verdict{}, fmt.Errorf("the lab has no interface %s or %s", k.From, by)
	}
	name, _ := grade.NodeOf(k.From) // where requests leave is for the frames to say
	node, err := t.Node(name)
	if err != nil {
		return verdict{}, err
	}
	key := nonce()
	size := k.Size
	if size == 0 {
		size = 56
	}
	args := []string{"ping", "-n", "-q", "-c", strconv.Itoa(k.Requests()), "-i", "0.2", "-W", "1", "-p", key, "-s", strconv.Itoa(size)}
	args = append(args, k.To.String())
	from := time.Now()
	ran, err := node.Verify(ctx, agent.Exec{Args: args, Timeout: 5 * time.Second})
	if err != nil {
		return verdict{}, fmt.Errorf("having %s ping: %w", name, err)
	}
	pattern, _ := hex.DecodeString(key) // as nonce made it
	v, err := judgeJourneys(ctx, t, k, pattern, near, far, by, from)
	if err != nil {
		return v, err
	}
	v.evidence = append(v.evidence, textEvidence(name+": "+strings.Join(args, " "), slices.Concat(ran.Stdout, ran.Stderr)))
	return v, nil
}

func judgeJourneys(ctx context.Context, t Target, k *grade.Ping, pattern []byte, near, far map[string]string, by string, from time.Time) (verdict, error) {
	f, err := filter.Compile("icmp or icmp6")
	if err != nil {
		return verdict{}, fmt.Errorf("looking for the node's pings: %w", err)
	}
	q := record.Query{Ports: append(keys(near), keys(far)...), Filter: f, Delivered: true, From: from, To: time.Now()}
	trips := map[uint16]*journey{}
	odd := map[string]bool{}
	for fr, err := range t.Ring().Read(ctx, q) {
		if err != nil {
			return verdict{}, fmt.Errorf("looking for the node's pings: %w", err)
		}
		e, ok := parseEcho(fr.Data)
		if !ok || !e.carries(pattern) {
			continue
		}
		e.data = nil // valid until the next
		_, isNear := near[fr.Port]
		farMAC, isFar := far[fr.Port]
		j := trips[e.seq]
		sent := fr.Dir == record.FromGuest
		switch {
		case isNear && sent && !e.answer && e.dst == k.To:
			if j == nil {
				trips[e.seq] = &journey{step: left, at: e}
			}
		case j == nil:
		case isFar && !sent && !e.answer && j.step == left && (k.NAT || e.dst == k.To && e.src == j.at.src && e.id == j.at.id):
			if e.dstMAC != farMAC {
				odd["a request came to "+fr.Port+" for the Ethernet address "+macOwner(t, e.dstMAC)] = true
				continue
			}
			j.step, j.far = arrived, e
		case isFar && sent && e.answer && j.step == arrived && e.src == j.far.dst && e.dst == j.far.src && e.id == j.far.id:
			if e.srcMAC != farMAC {
				odd["an answer left "+fr.Port+" with the Ethernet address "+macOwner(t, e.srcMAC)] = true
				continue
			}
			j.step = answered
		case isNear && !sent && e.answer && e.src == k.To && e.dst == j.at.src && e.id == j.at.id:
			if j.step != answered {
				odd["an answer came back that did not leave "+by] = true
				continue
			}
			if ttl := hops(fr.Data); k.TTL != 0 && ttl != k.TTL {
				odd[fmt.Sprintf("the TTL left is %d", ttl)] = true
				continue
			}
			j.step = returned
		}
	}
	var count [returned + 1]int
	for _, j := range trips {
		for s := left; s <= j.step; s++ {
			count[s]++
		}
	}
	text := fmt.Sprintf("of %d requests %d left %s, %d arrived at %s, %d answers left it and %d came back",
		k.Requests(), count[left], k.From, count[arrived], by, count[answered], count[returned])
	if len(odd) > 0 {
		text += "; " + strings.Join(keys(odd), ", ")
	}
	v := failed("%s", text)
	v.ok = count[returned] >= k.Least()
	v.contested = !v.ok && len(odd) > 0
	v.evidence = frames(ctx, t, q)
	return v, nil
}

// hops is the TTL or hop limit of a frame that holds an echo.
func hops(b []byte) uint8 {
	at := 12
	for at+4 <= len(b) && (b[at] == 0x81 && b[at+1] == 0 || b[at] == 0x88 && b[at+1] == 0xa8) {
		at += 4
	}
	switch {
	case at+2+20 <= len(b) && b[at] == 0x08:
		return b[at+2+8]
	case at+2+40 <= len(b):
		return b[at+2+7]
	}
	return 0
}
