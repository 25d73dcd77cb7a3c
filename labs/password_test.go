package labs_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/argon2"

	"github.com/patchbay/patchbay/labs"
)

func TestPasswords(t *testing.T) {
	ctx := context.Background()
	p := labs.NewPasswords(2)
	const password = "correct horse – battery"
	hash, err := p.Hash(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Hash = %s", hash)
	}
	if again, err := p.Hash(ctx, password); err != nil || again == hash {
		t.Errorf("two hashes of one password are the same (%v)", err)
	}
	tests := []struct {
		name, hash, password string
		ok, fails            bool
	}{
		{"right", hash, password, true, false},
		{"wrong", hash, password + " ", false, false},
		{"empty password", hash, "", false, false},
		{"no hash", "", password, false, false},
		{"megabytes", hash, strings.Repeat("x", 1<<20), false, false},
		{"cut key", hash[:len(hash)-8], password, false, false},
		{"no key", hash[:strings.LastIndex(hash, "$")+1], password, false, true},
		{"other algorithm", "$2y$10$abcdefghijklmnopqrstuv", password, false, true},
		{"a gigabyte", strings.Replace(hash, "m=19456", "m=1048576", 1), password, false, true},
		{"no passes", strings.Replace(hash, "t=2", "t=0", 1), password, false, true},
		{"no lanes", strings.Replace(hash, "p=1", "p=0", 1), password, false, true},
		{"other version", strings.Replace(hash, "v=19", "v=16", 1), password, false, true},
		{"salt malformed", strings.Replace(hash, "p=1$", "p=1$!", 1), password, false, true},
		{"text", "password", password, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ok, upgrade, err := p.Verify(ctx, test.hash, test.password)
			if ok != test.ok || upgrade || (err != nil) != test.fails {
				t.Errorf("Verify = %v, %v, %v", ok, upgrade, err)
			}
		})
	}
}

// TestPasswordUpgrade verifies a hash of lower cost, as an older release may
// have left it.
func TestPasswordUpgrade(t *testing.T) {
	salt := []byte("somesaltsomesalt")
	b64 := base64.RawStdEncoding.EncodeToString
	old := "$argon2id$v=19$m=1024,t=1,p=1$" + b64(salt) + "$" + b64(argon2.IDKey([]byte("hunter22"), salt, 1, 1024, 1, 32))
	ok, upgrade, err := labs.NewPasswords(1).Verify(context.Background(), old, "hunter22")
	if !ok || !upgrade || err != nil {
		t.Errorf("Verify = %v, %v, %v; want true, true", ok, upgrade, err)
	}
	ok, upgrade, err = labs.NewPasswords(1).Verify(context.Background(), old, "hunter2")
	if ok || upgrade || err != nil {
		t.Errorf("Verify of a wrong password = %v, %v, %v", ok, upgrade, err)
	}
}

func TestCheckPassword(t *testing.T) {
	for password, ok := range map[string]bool{
		"short7c": false, "eight8ch": true, "åäöåäöåä": true, "åäöå": false,
		strings.Repeat("x", 1024): true, strings.Repeat("x", 1025): false,
	} {
		err := labs.CheckPassword(password)
		if (err == nil) != ok || err != nil && labs.CodeOf(err) != labs.Invalid {
			t.Errorf("CheckPassword(%.20q) = %v", password, err)
		}
	}
}

// TestPasswordsWait: with every slot taken one waits, until one's context ends
// or a slot is free.
func TestPasswordsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := labs.NewPasswords(1)
		free := p.Hold()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		impatient, patient := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := p.Hash(ctx, "a good password")
			impatient <- err
		}()
		go func() {
			_, err := p.Hash(context.Background(), "a good password")
			patient <- err
		}()
		synctest.Wait()
		if len(impatient)+len(patient) > 0 {
			t.Fatal("somebody did not wait")
		}
		cancel()
		if err := <-impatient; !errors.Is(err, context.Canceled) {
			t.Errorf("the impatient one: %v", err)
		}
		free()
		if err := <-patient; err != nil {
			t.Errorf("the patient one: %v", err)
		}
	})
}
