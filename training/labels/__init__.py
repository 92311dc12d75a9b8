"""Labels without labellers: views of panoramas, what teachers say of them, and the sphere again."""
