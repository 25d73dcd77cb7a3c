// Package static holds what browsers load: scripts, style sheets and licences,
// as static/bundle has put them into dist. An empty dist compiles and serves
// nothing, so that the Go code builds before the bundle does.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

// The folder is embedded with "all:" so that .gitkeep alone satisfies it.
//
//go:embed all:dist
var dist embed.FS

// FS is the content of dist: lab.js, site.js, site.css, lab.css, licences.txt, …
func FS() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(fmt.Sprintf("opening the embedded dist folder: %v", err)) // the embed directive names it
	}
	return sub
}

// Hash names the content of FS: 16 hexadecimal digits that change when any
// file's name or bytes do. Served under /static/<hash>/, a file may be cached
// for ever, and what it imports by a relative path inherits the hash. It reads
// every file; call it once.
func Hash() string {
	h, err := HashFS(FS())
	if err != nil {
		panic(fmt.Sprintf("hashing the embedded dist folder: %v", err)) // memory does not fail to read
	}
	return h
}

// HashFS is Hash for any file system.
func HashFS(fsys fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		// Lengths keep "a"+"bc" apart from "ab"+"c".
		fmt.Fprintf(sum, "%d %s %d ", len(path), path, len(b))
		sum.Write(b)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("hashing a static tree: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}
