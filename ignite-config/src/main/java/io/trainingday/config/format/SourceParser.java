package io.trainingday.config.format;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.xml.XmlFactory;
import com.fasterxml.jackson.dataformat.xml.deser.FromXmlParser;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import io.trainingday.config.SettingsException.Problem;
import io.trainingday.config.format.SourceNode.Entry;
import io.trainingday.config.format.SourceNode.Scalar;
import io.trainingday.config.format.SourceNode.Section;
import io.trainingday.config.format.SourceNode.Sequence;
import io.trainingday.config.format.SourceNode.Style;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import javax.xml.stream.util.StreamReaderDelegate;

/** Text to tree. What one file could use to mean something else is refused: anchors, tags, DTDs. */
final class SourceParser {
  /** The element that holds all settings in XML. */
  static final String XML_ROOT = "training-day";

  private static final int MAX_DEPTH = 16;
  private static final YAMLFactory YAML = new YAMLFactory();
  private static final XmlFactory XML = new XmlFactory();

  private final JsonParser parser;

  private SourceParser(JsonParser parser) {
    this.parser = parser;
  }

  /** The text is no tree at all, or one that is refused as a whole. */
  static final class UnreadableException extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient Problem problem;

    UnreadableException(Problem problem) {
      super(problem.toString());
      this.problem = problem;
    }

    Problem problem() {
      return problem;
    }
  }

  static SourceNode yaml(String text) throws UnreadableException {
    try (YAMLParser parser = YAML.createParser(text)) {
      if (parser.nextToken() == null) {
        throw empty();
      }
      SourceNode root = new SourceParser(parser).node(0);
      if (parser.nextToken() != null) {
        throw unreadable(parser, "a second document", "one document");
      }
      return root;
    } catch (IOException broken) {
      throw broken("YAML", broken);
    }
  }

  static SourceNode xml(String text) throws UnreadableException {
    if (text.isBlank()) {
      throw empty();
    }
    try {
      XMLStreamReader reader =
          new WithoutDoctype(
              XML.getXMLInputFactory().createXMLStreamReader(new StringReader(text)));
      try (FromXmlParser parser = XML.createParser(reader)) {
        String root = parser.getStaxReader().getLocalName();
        if (!root.equals(XML_ROOT)) {
          throw unreadable(parser, "<" + root + ">", "<" + XML_ROOT + "> as the outermost element");
        }
        if (parser.nextToken() == null) {
          throw empty();
        }
        SourceNode tree = new SourceParser(parser).node(0);
        // Reads on to the end, so that what follows the root is checked as well.
        while (parser.nextToken() != null) {
          throw unreadable(parser, parser.getText(), "nothing after </" + XML_ROOT + ">");
        }
        return tree;
      }
    } catch (IOException broken) {
      throw broken("XML", broken);
    } catch (XMLStreamException broken) {
      throw broken("XML", new IOException(broken.getMessage(), broken));
    }
  }

  private SourceNode node(int depth) throws IOException, UnreadableException {
    if (depth > MAX_DEPTH) {
      throw unreadable(parser, "", "at most " + MAX_DEPTH + " levels");
    }
    if (parser instanceof YAMLParser yaml
        && (yaml.isCurrentAlias() || parser.getObjectId() != null || parser.getTypeId() != null)) {
      throw unreadable(
          parser, String.valueOf(parser.getText()), "YAML without anchors, aliases and tags");
    }
    JsonToken token = parser.currentToken();
    return switch (token) {
      case START_OBJECT -> {
        List<Entry> entries = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          entries.add(new Entry(name, node(depth + 1)));
        }
        yield new Section(entries);
      }
      case START_ARRAY -> {
        List<SourceNode> elements = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          elements.add(node(depth + 1));
        }
        yield new Sequence(elements);
      }
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> new Scalar(parser.getText(), Style.NUMBER);
      case VALUE_TRUE, VALUE_FALSE -> new Scalar(parser.getText(), Style.BOOLEAN);
      case VALUE_NULL -> new Scalar("", Style.NULL);
      default -> new Scalar(parser.getText(), Style.TEXT);
    };
  }

  private static UnreadableException empty() {
    return new UnreadableException(
        new Problem("file", "", "at least one setting", "leave the file out to take the defaults"));
  }

  private static UnreadableException unreadable(JsonParser parser, String found, String allowed) {
    return new UnreadableException(
        new Problem(place(parser.currentTokenLocation()), found, allowed, ""));
  }

  private static UnreadableException broken(String format, IOException broken) {
    JsonLocation location =
        broken instanceof JsonProcessingException processing
            ? processing.getLocation()
            : JsonLocation.NA;
    String message =
        broken instanceof JsonProcessingException processing
            ? processing.getOriginalMessage()
            : String.valueOf(broken.getMessage());
    return new UnreadableException(
        new Problem(
            place(location),
            message.lines().limit(2).reduce((one, two) -> one + ": " + two.strip()).orElse(""),
            format,
            ""));
  }

  private static String place(JsonLocation location) {
    return location == null || location.getLineNr() < 1
        ? "file"
        : "line " + location.getLineNr() + ", column " + location.getColumnNr();
  }

  /** A DOCTYPE can pull in files and blow up; no settings need one. */
  private static final class WithoutDoctype extends StreamReaderDelegate {
    WithoutDoctype(XMLStreamReader reader) {
      super(reader);
    }

    @Override
    public int next() throws XMLStreamException {
      int event = super.next();
      if (event == XMLStreamConstants.DTD) {
        throw new XMLStreamException("a DOCTYPE is refused");
      }
      return event;
    }
  }
}
