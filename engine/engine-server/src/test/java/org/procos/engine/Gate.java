package org.procos.engine;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Passes TCP connections on to a server and can be shut, which looks like the server's death. */
final class Gate implements AutoCloseable {
  private final String host;
  private final int serverPort;
  private final int port;
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private volatile ServerSocket listener;

  Gate(String host, int serverPort) throws IOException {
    this.host = host;
    this.serverPort = serverPort;
    open(0);
    this.port = listener.getLocalPort();
  }

  int port() {
    return port;
  }

  void shut() throws IOException {
    listener.close();
    for (Socket socket : sockets) {
      socket.close();
    }
    sockets.clear();
  }

  void open() throws IOException {
    open(port);
  }

  @Override
  public void close() throws IOException {
    shut();
  }

  private void open(int on) throws IOException {
    ServerSocket server = new ServerSocket();
    server.setReuseAddress(true);
    server.bind(new java.net.InetSocketAddress(InetAddress.getLoopbackAddress(), on));
    listener = server;
    daemon(() -> {
      while (true) {
        Socket client = server.accept();
        Socket target = new Socket(host, serverPort);
        sockets.add(client);
        sockets.add(target);
        daemon(() -> pass(client, target));
        daemon(() -> pass(target, client));
      }
    });
  }

  private static void pass(Socket from, Socket to) throws IOException {
    try (from; to) {
      from.getInputStream().transferTo(to.getOutputStream());
    }
  }

  private static void daemon(Body body) {
    Thread thread = new Thread(() -> {
      try {
        body.run();
      } catch (IOException e) {
        // The gate has been shut, or one side has gone.
      }
    });
    thread.setDaemon(true);
    thread.start();
  }

  private interface Body {
    void run() throws IOException;
  }
}
