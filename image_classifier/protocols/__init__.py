"""What other systems' clients expect. Knows nothing of Azure, gRPC or sockets."""
