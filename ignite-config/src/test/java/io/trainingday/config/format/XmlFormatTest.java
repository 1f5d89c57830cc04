package io.trainingday.config.format;

class XmlFormatTest extends FormatKit {
  @Override
  String extension() {
    return "xml";
  }

  @Override
  String memoryMaxSize(String text) {
    return whole("<memory><maxSize>" + text + "</maxSize></memory>");
  }

  @Override
  String unknownKey(String name) {
    return "<" + name + ">1</" + name + ">\n";
  }

  @Override
  String whole(String lines) {
    return "<training-day>" + lines + "</training-day>";
  }
}
