package web

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/go-chi/chi/v5"

	"github.com/patchbay/patchbay/labs"
)

// asset is one static file, compressed when first asked for.
type asset struct {
	kind   string // its content type
	plain  []byte
	packed func() []byte // nil bytes when it would not shrink by a tenth
}

// staticFiles serves Config.Static under its hash, for ever, and nothing under
// any other: a page that was made before an update gets the files of its time
// from the browser's cache or not at all, never a mixture.
func (s *Server) staticFiles() http.HandlerFunc {
	var mu sync.Mutex
	assets := map[string]*asset{}
	load := func(name string) (*asset, error) {
		mu.Lock()
		defer mu.Unlock()
		if a, ok := assets[name]; ok {
			return a, nil
		}
		b, err := fs.ReadFile(s.cfg.Static, name)
		if err != nil {
			return nil, err
		}
		a := &asset{kind: contentType(name), plain: b, packed: sync.OnceValue(func() []byte { return pack(b) })}
		assets[name] = a
		return a, nil
	}
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		name := chi.URLParam(r, "*")
		missing := labs.Errorf(labs.NotFound, "There is no such file.")
		if chi.URLParam(r, "hash") != s.cfg.StaticHash || !fs.ValidPath(name) || strings.HasPrefix(path.Base(name), ".") {
			return missing
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return labs.Errorf(methodNotAllowed, "%s does not work at this address.", r.Method)
		}
		a, err := load(name)
		if err != nil {
			return missing
		}
		h := w.Header()
		h.Set("Content-Type", a.kind)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Vary", "Accept-Encoding")
		body := a.plain
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			if p := a.packed(); p != nil {
				h.Set("Content-Encoding", "gzip")
				body = p
			}
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodGet {
			_, _ = w.Write(body) // the only error left is a client that has gone
		}
		return nil
	})
}

// contentType does not ask the host's tables: a machine without them must not
// serve scripts as text.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".map", ".json":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	case ".svg":
		return "image/svg+xml"
	case ".wasm":
		return "application/wasm"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

func pack(b []byte) []byte {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil // the level is a constant that gzip has
	}
	if _, err := z.Write(b); err != nil || z.Close() != nil || buf.Len() > len(b)*9/10 {
		return nil
	}
	return buf.Bytes()
}
