"""Sends messages to SignalR clients: by an emulator or by Azure SignalR Service."""
