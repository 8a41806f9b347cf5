"""`python -m ccalign_jax.cli` is `ccalign`."""

from ccalign_jax.cli.main import main

if __name__ == "__main__":
    main()
