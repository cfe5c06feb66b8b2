"""Implements the APIs of other products, without Azure, gRPC or sockets."""
