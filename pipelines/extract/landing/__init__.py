"""Landing: items of pages become versions in raw, and known calls that are gone become tombstones."""
