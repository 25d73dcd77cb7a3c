package agent

import (
	"encoding/binary"
	"io"
	"sync"
	"time"
)

// Towards the guest the line is paced. When the 4096 bytes that a Linux
// terminal buffers are nearly full (3968), it throttles its driver; UML's then
// takes the line out of its epoll set and never puts it back, and the line is
// deaf for good (line_throttle in arch/um/drivers/line.c; seen on 6.1 and on
// 7.3). So the host keeps no more than lineWindow bytes unread in the guest,
// and guestd says how far it has read.
const (
	lineWindow = 3072
	creditStep = 1024 // guestd speaks up after so many bytes

	// Root in the guest may read from the line, and those bytes are then
	// missing from guestd's count for ever. After syncAfter without a word the
	// host tells it the true count, at most maxSyncs times, so that a guest
	// which is merely stopped is not filled up with them.
	syncAfter = time.Second
	maxSyncs  = 8
)

// pacer is the host's side: it lets bytes out to the guest.
type pacer struct {
	w    io.Writer
	end  <-chan struct{} // the line has ended
	wake chan struct{}   // capacity 1: read has grown

	sent uint64 // by the writer alone

	mu   sync.Mutex
	read uint64 // as guestd says
}

// credit notes how far guestd says it has read. A lie only harms the guest.
func (p *pacer) credit(body []byte) bool {
	if len(body) != 8 {
		return false
	}
	p.mu.Lock()
	p.read = max(p.read, binary.BigEndian.Uint64(body))
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return true
}

// room is how much may be written now.
func (p *pacer) room() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read = min(p.read, p.sent)
	return lineWindow - int(min(p.sent-p.read, lineWindow))
}

// Write writes b, as fast as the guest reads. It is for one goroutine.
func (p *pacer) Write(b []byte) (int, error) {
	done := 0
	for syncs := 0; done < len(b); {
		n := min(p.room(), len(b)-done)
		if n > 0 {
			if _, err := p.w.Write(b[done : done+n]); err != nil {
				return done, err
			}
			done += n
			p.sent += uint64(n)
			syncs = 0
			continue
		}
		timer := time.NewTimer(syncAfter)
		select {
		case <-p.wake:
		case <-p.end:
			timer.Stop()
			return done, io.ErrClosedPipe
		case <-timer.C:
			if syncs++; syncs > maxSyncs {
				break
			}
			// In the middle of a frame perhaps, which is lost then; but when
			// guestd has read all there is, the bytes before were lost too.
			p.sent += headerSize + 8
			sync := appendFrame(nil, frame{kind: kindSync, body: binary.BigEndian.AppendUint64(nil, p.sent)})
			if _, err := p.w.Write(sync); err != nil {
				return done, err
			}
		}
		timer.Stop()
	}
	return done, nil
}

// tally is the guest's side: it counts what is read and says so.
type tally struct {
	r    io.Reader
	say  func(total uint64) error
	read uint64
	said uint64
}

func (t *tally) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	t.read += uint64(n)
	if err == nil && t.read-t.said >= creditStep {
		err = t.tell()
	}
	return n, err
}

func (t *tally) tell() error {
	t.said = t.read
	return t.say(t.read)
}

// sync takes the host's count, of which ahead bytes more have been read.
func (t *tally) sync(body []byte, ahead int) error {
	if len(body) != 8 {
		return errMalformed
	}
	t.read = binary.BigEndian.Uint64(body) + uint64(ahead)
	return t.tell()
}
