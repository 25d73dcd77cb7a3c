package agent

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
)

// Limits of a look.
const (
	MaxNames = 1000    // of a folder's entries; the first in their order
	MaxLook  = 4 << 20 // bytes of a file

	maxPath = 4095 // as the kernel has it
	// maxEntry is what an encoded Entry can take besides its Data.
	maxEntry = 64 + MaxNames*(4+255) + maxPath + maxText
)

// Entry is what a disk has at a path, links followed within the disk.
type Entry struct {
	Exists  bool
	Kind    string // file, directory, link (that leads nowhere), device, pipe, socket
	Mode    uint32 // permission bits, with setuid, setgid and sticky
	UID     uint32
	GID     uint32
	Size    int64
	Data    []byte   // of a file, its beginning
	Names   []string // of a directory, sorted, at most MaxNames
	Link    string   // where the last link that was followed leads
	Changed bool     // not as the image has it
	Trouble string   // why it could not be looked at, a clause: the disk's fault
}

func (e Entry) append(b []byte) []byte {
	b = appendBool(b, e.Exists)
	b = appendString(b, e.Kind)
	b = binary.BigEndian.AppendUint32(b, e.Mode)
	b = binary.BigEndian.AppendUint32(b, e.UID)
	b = binary.BigEndian.AppendUint32(b, e.GID)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Size))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Data)))
	b = append(b, e.Data...)
	b = appendStrings(b, e.Names)
	b = appendString(b, e.Link)
	b = appendBool(b, e.Changed)
	return appendString(b, e.Trouble)
}

func decodeEntry(b []byte) (Entry, error) {
	d := decoder{b: b}
	e := Entry{
		Exists: d.bool(), Kind: d.string(), Mode: d.u32(), UID: d.u32(), GID: d.u32(), Size: int64(d.u64()),
		Data: d.bytes(), Names: d.strings(), Link: d.string(), Changed: d.bool(), Trouble: d.string(),
	}
	if e.Size < 0 || len(e.Names) > MaxNames || len(e.Link) > maxPath {
		d.bad = true
	}
	return e, d.end()
}

type lookRequest struct {
	path  string
	limit uint32
}

func (l lookRequest) append(b []byte) []byte {
	b = appendString(b, l.path)
	return binary.BigEndian.AppendUint32(b, l.limit)
}

func decodeLook(b []byte) (lookRequest, error) {
	d := decoder{b: b}
	l := lookRequest{path: d.string(), limit: d.u32()}
	if len(l.path) == 0 || len(l.path) > maxPath || l.path[0] != '/' || l.limit > MaxLook {
		d.bad = true
	}
	return l, d.end()
}

// Look returns what the disk of a guest that inspects one has at an absolute
// path. limit bounds Data, in bytes; 0 means MaxLook.
func (c *Client) Look(ctx context.Context, path string, limit int) (Entry, error) {
	if limit <= 0 || limit > MaxLook {
		limit = MaxLook
	}
	if len(path) == 0 || path[0] != '/' || len(path) > maxPath {
		return Entry{}, errors.New("looking at " + strconv.Quote(clean(path)) + " on a disk: it is no absolute path")
	}
	var body []byte
	var e Entry
	err := c.request(ctx, frame{kind: kindLook, body: lookRequest{path, uint32(limit)}.append(nil)}, nil, func(f frame) (last bool, err error) {
		if f.kind != kindEntry {
			return false, errUnexpected
		}
		if len(body)+len(f.body) > limit+maxEntry {
			return false, errors.New("more came than was asked for")
		}
		body = append(body, f.body...)
		if f.more {
			return false, nil
		}
		if e, err = decodeEntry(body); err == nil && len(e.Data) > limit {
			err = errMalformed
		}
		return true, err
	})
	if err != nil {
		return Entry{}, wrap("looking at "+path+" on a disk", err)
	}
	e.Trouble = clean(e.Trouble)
	return e, nil
}

// Flush returns when all that programs have written to the guest's disk before
// is there, for whoever is to copy it.
func (c *Client) Flush(ctx context.Context) error {
	return wrap("having the guest's disk written", c.request(ctx, frame{kind: kindFlush}, nil, acknowledged))
}
